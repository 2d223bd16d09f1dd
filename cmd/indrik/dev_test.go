package main

import (
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/settings"
)

// A file is about service and counts less than development; what a person says at the
// moment counts more.
func TestDevelopmentCountsMoreThanFiles(t *testing.T) {
	p := process{env: []string{"PORT=9", "INDRIK_THREADS=2"}, dir: t.TempDir()}.developing()
	options := settings.Layer{Source: settings.CommandLine, Items: []settings.Item{{Name: "accesslog", Texts: []string{"log"}}}}
	said, err := gather(p, options)
	if err != nil {
		t.Fatal(err)
	}
	file := settings.Layer{Source: settings.ConfigFile, Items: []settings.Item{
		{Name: "bind", Texts: []string{"0.0.0.0:80"}}, {Name: "workers", Texts: []string{"8"}}, {Name: "preload_app", Texts: []string{"true"}},
		{Name: "keepalive", Texts: []string{"7"}}, {Name: "admin_bind", Texts: []string{"0.0.0.0:81"}},
	}}
	v, err := resolve([]string{"app"}, append(said.layers, file)...)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.Bind(), []string{"127.0.0.1:8000"}) || v.Workers() != 1 || v.PreloadApp() || !v.Reload() || v.AdminBind() != "" {
		t.Errorf("the file counts: bind %v, %d workers", v.Bind(), v.Workers())
	}
	if v.Threads() != 2 || v.AccessLog() != "log" {
		t.Errorf("environment and options do not count: %d threads, %s", v.Threads(), v.AccessLog())
	}
	if v.KeepAlive().Seconds() != 7 {
		t.Errorf("what development says nothing of is %v", v.KeepAlive())
	}
}

func TestWhoCanConnect(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9": true, "[::1]:1": true, "localhost:80": true, "unix:/x": true,
		"0.0.0.0:1": false, ":80": false, "192.0.2.1:1": false, "[::]:1": false, "example.org:1": false,
	} {
		b, err := activation.ParseBind(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := onlyHere(b); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

// Colours are for a terminal: the level alone, and only what hclog has put first.
func TestColoursOfLevels(t *testing.T) {
	for level, want := range map[hclog.Level]string{
		hclog.Info: "T \x1b[94m[INFO]\x1b[0m  a: [b]\n", hclog.Error: "T \x1b[91m[INFO]\x1b[0m  a: [b]\n", hclog.Debug: "T [INFO]  a: [b]\n",
	} {
		if got := string(withColour(level, []byte("T [INFO]  a: [b]\n"))); got != want {
			t.Errorf("%v: got %q, want %q", level, got, want)
		}
	}
	if got := string(withColour(hclog.Info, []byte("no level"))); got != "no level" {
		t.Errorf("got %q", got)
	}
}

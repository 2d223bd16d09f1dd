package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/indrik/indrik/settings"
)

func TestPythonIsFound(t *testing.T) {
	dir := t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	writeProgram(t, at("usr", "python3"), 0o755)
	writeProgram(t, at("usr", "pypy3"), 0o755)
	writeProgram(t, at("data", "python3"), 0o644)
	if err := os.MkdirAll(at("venv", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("usr", "python3"), at("venv", "bin", "python")); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + strings.Join([]string{"", "relative", at("missing"), at("data"), at("usr")}, ":")
	for _, c := range []struct {
		name, option string
		env          []string
		want, origin string
		source       settings.Source
	}{
		{"the first that can be executed in PATH", "", []string{path}, at("usr", "python3"), "default", settings.Default},
		{"the virtual environment, as the link it is", "", []string{path, "VIRTUAL_ENV=" + at("venv")}, at("venv", "bin", "python"), "VIRTUAL_ENV", settings.Default},
		{"the option before the virtual environment", at("usr", "python3"), []string{path, "VIRTUAL_ENV=" + at("venv")}, at("usr", "python3"), "--python", settings.CommandLine},
		{"a name is looked up", "pypy3", []string{path}, at("usr", "pypy3"), "--python", settings.CommandLine},
	} {
		tr := newTrial(t, "app")
		if c.option != "" {
			tr.args = append(tr.args, "--python", c.option)
		}
		tr.env = c.env
		if status, _, stderr := tr.run(); status != exitOK {
			t.Errorf("%s: status %d: %s", c.name, status, stderr)
			continue
		}
		s := tr.master.Settings
		if s.Python() != c.want || s.Origin("python") != c.origin || s.Source("python") != c.source {
			t.Errorf("%s: got %s from %s (%v), want %s from %s (%v)", c.name,
				s.Python(), s.Origin("python"), s.Source("python"), c.want, c.origin, c.source)
		}
	}
}

// `pip install indrik` puts the binary into a virtual environment, and means the
// Python there, whether or not another one is active.
func TestPythonOfTheVirtualEnvironmentThatHoldsTheBinary(t *testing.T) {
	venv := t.TempDir()
	writeProgram(t, filepath.Join(venv, "bin", "python"), 0o755)
	tr := newTrial(t, "app")
	tr.env = append(tr.env, "VIRTUAL_ENV="+t.TempDir())
	tr.executable = filepath.Join(venv, "bin", "indrik")
	if status, _, _ := tr.run(); status == exitOK {
		t.Fatal("a directory without pyvenv.cfg was taken for a virtual environment")
	}
	if err := os.WriteFile(filepath.Join(venv, "pyvenv.cfg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := tr.run(); status != exitOK {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if got, want := tr.master.Settings.Python(), filepath.Join(venv, "bin", "python"); got != want {
		t.Errorf("got %s from %s, want %s", got, tr.master.Settings.Origin("python"), want)
	}
}

// The master changes its directory later, so a relative path must be settled
// before.
func TestPythonIsAbsolute(t *testing.T) {
	dir := t.TempDir()
	writeProgram(t, filepath.Join(dir, "bin", "python"), 0o755)
	t.Chdir(dir)
	tr := newTrial(t, "--python", "bin/python", "app")
	if status, _, stderr := tr.run(); status != exitOK {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if got := tr.master.Settings.Python(); !filepath.IsAbs(got) || !strings.HasSuffix(got, "/bin/python") {
		t.Errorf("got %s", got)
	}
}

func TestPythonIsMissing(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		option, env string
		wantAll     []string
	}{
		{"", "PATH=/nowhere", []string{"no python3 in PATH", "install Python 3", "--python"}},
		{"", "VIRTUAL_ENV=/nowhere", []string{"VIRTUAL_ENV", "/nowhere/bin/python", "no such file", "deactivate"}},
		{"/nowhere/python", "PATH=/", []string{"--python", "/nowhere/python", "no such file"}},
		{dir, "PATH=/", []string{dir, "is not a file"}},
		{text, "PATH=/", []string{text, "is not executable"}},
	} {
		tr := newTrial(t, "app")
		if c.option != "" {
			tr.args = append(tr.args, "--python", c.option)
		}
		tr.env = []string{c.env}
		status, _, stderr := tr.run()
		if status != exitConfig || len(tr.roles) > 0 {
			t.Errorf("%q with %s: got status %d, roles %v", c.option, c.env, status, tr.roles)
		}
		for _, want := range c.wantAll {
			if !strings.Contains(stderr, want) {
				t.Errorf("%q with %s: %q does not say %q", c.option, c.env, stderr, want)
			}
		}
	}
}

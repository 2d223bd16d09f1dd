package settings

import "testing"

// Whoever leaves the number to us writes the same word everywhere.
func TestWorkersMayBeAuto(t *testing.T) {
	toml, err := FromTOML("a.toml", []byte("workers = \"auto\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, layer := range map[string]Layer{
		"command line": {Source: CommandLine, Items: []Item{{Name: "workers", Texts: []string{"Auto"}}}},
		"environment":  FromPlatform(environment(map[string]string{"WEB_CONCURRENCY": "auto"})),
		"Python":       FromScript("gunicorn.conf.py", map[string][]string{"workers": {"auto"}}),
		"TOML":         toml,
	} {
		v, err := Resolve(layer)
		if err != nil || v.Workers() != Auto {
			t.Errorf("%s: got %v, %v, want Auto", name, v, err)
		}
	}
	if v, err := Resolve(Layer{Source: CommandLine, Items: []Item{{Name: "threads", Texts: []string{"auto"}}}}); err == nil {
		t.Errorf("threads: got %d, want an error", v.Threads())
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One broken file must not take the others' units away at a daemon-reload, and
// its error must be told, not only be a status.
func TestUnitFiles(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"a.toml":     "[unit]\nlistne = 1\n",
		"b.toml":     "wsgi_app = 'x:y'\n[unit]\nmemory_max = '1G'\n",
		"c.toml":     "wsgi_app = 'x:y'\n",
		"d.toml.bak": "[unit]\n",
	} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(from, "e.toml"), 0o755); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := newTrial(t, "unit-files", "--from", from, to).run()
	if status != exitConfig || !strings.Contains(stderr, "a.toml: line 2: [unit] has no key") || !strings.Contains(stderr, "e.toml: is a directory") {
		t.Errorf("status %d: %s", status, stderr)
	}
	var got []string
	for _, pattern := range []string{"*", "*/*"} {
		names, _ := filepath.Glob(filepath.Join(to, pattern))
		got = append(got, names...)
	}
	want := []string{"indrik.target.d", "indrik@b.service.d", "indrik@b.socket.d",
		"indrik.target.d/50-b.conf", "indrik@b.service.d/50-unit.conf", "indrik@b.socket.d/50-unit.conf"}
	if text := strings.ReplaceAll(strings.Join(got, " "), to+"/", ""); text != strings.Join(want, " ") {
		t.Errorf("got %s, want %s", text, want)
	}
	_, said, _ := newTrial(t, "unit-files", "--from", from).run()
	if !strings.Contains(said, "==> indrik@b.service.d/50-unit.conf <==\n") || !strings.Contains(said, "MemoryMax=1G\n") {
		t.Errorf("without a directory it printed %q", said)
	}
}

// systemd calls generators with three directories and no options.
func TestGeneratorsArguments(t *testing.T) {
	to := t.TempDir()
	tr := newTrial(t, to, to+"/early", to+"/late")
	tr.args[0] = "/usr/lib/systemd/system-generators/indrik-generator"
	if status, _, stderr := tr.run(); status != exitOK || stderr != "" || len(tr.roles) > 0 {
		t.Errorf("status %d, roles %v: %s", status, tr.roles, stderr)
	}
}

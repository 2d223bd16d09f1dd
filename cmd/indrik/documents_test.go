package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/indrik/indrik/settings"
)

// Documents that are made from the registry must not fall behind it.
func TestDocumentsAreCurrent(t *testing.T) {
	for path, want := range map[string]string{
		"../../docs/indrik.schema.json":   settings.Schema(),
		"../../docs/man/indrik.1":         settings.Man(version),
		"../../docs/man/indrik.toml.5":    settings.ManTOML(version),
		"../../docs/gunicorn-settings.md": settings.ForGunicorn(),
	} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not current, %v; run: make docs", path, err)
		}
	}
}

// troff must have nothing to say about the manual pages.
func TestManualPagesAreSound(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip(err)
	}
	for name, page := range map[string]string{"indrik.1": settings.Man(version), "indrik.toml.5": settings.ManTOML(version)} {
		cmd := exec.Command(groff, "-man", "-ww", "-z", "-Tutf8", "-Kutf8")
		cmd.Stdin = strings.NewReader(page)
		if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
}

// The scripts must be what the shells take, and the program must answer them.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		status, script, stderr := newTrial(t, "--completion", shell).run()
		if status != exitOK || !strings.Contains(script, "__complete") {
			t.Errorf("%s: status %d, %d bytes, %s", shell, status, len(script), stderr)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, "-n")
		cmd.Stdin = strings.NewReader(script)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s does not take its script: %v\n%s", shell, err, said)
		}
	}
	if status, _, stderr := newTrial(t, "--completion", "tcsh").run(); status != exitUsage || !strings.Contains(stderr, "bash, zsh or fish") {
		t.Errorf("status %d: %s", status, stderr)
	}
	for words, want := range map[string]string{"--worker-cl": "--worker-class\t", "--header-map=d": "drop\n", "--no-send": "--no-sendfile\t"} {
		status, stdout, _ := newTrial(t, "__complete", words).run()
		if status != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%s: status %d, %q", words, status, stdout)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostedTrial is a trial whose application lies in a directory that a service can see as
// a user's own: what is said of the system's needs /srv.
func hostedTrial(t *testing.T, args ...string) (tr *trial, dir string) {
	t.Helper()
	dir = t.TempDir()
	tr = newTrial(t, args...)
	tr.env = append(tr.env, "HOME="+dir)
	tr.dir = dir
	return tr, dir
}

// What a dry run prints is what would be written: settings checked and in their
// places, the socket's address with the units, the environment found.
func TestSetupPrints(t *testing.T) {
	tr, dir := hostedTrial(t, "setup", "shop", "--app", "project.wsgi:application", "--dir", ".", "--user-manager", "--dry-run",
		"--boot", "-w", "3", "-b", "127.0.0.1:8000", "-b", "unix:/run/x.sock", "--timeout", "90")
	writeProgram(t, filepath.Join(dir, ".venv/bin/python"), 0o755)
	status, out, stderr := tr.run()
	if status != exitOK {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{
		"write " + dir + "/.config/indrik/shop.toml\n    # Written by indrik setup",
		"    workers = 3\n", "    timeout = 90\n", `    wsgi_app = "project.wsgi:application"` + "\n",
		`    python = "` + dir + `/.venv/bin/python"` + "\n",
		"    [unit]\n    start = 'no'\n    listen = ['127.0.0.1:8000', '/run/x.sock']\n    directory = '" + dir + "'\n",
		"  indrik@shop.service.d/50-unit.conf\n", "    WorkingDirectory=" + dir + "\n", "    ListenStream=127.0.0.1:8000\n",
		"systemd: Reload()\nsystemd: EnableUnitFiles(indrik@shop.service)\nsystemd: StartUnit(indrik@shop.socket)\nsystemd: StartUnit(indrik@shop.service)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "bind =") {
		t.Errorf("the service would listen besides its socket:\n%s", out)
	}
	if _, err := os.Stat(dir + "/.config"); err == nil {
		t.Error("a dry run made a directory")
	}
}

func TestSetupRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"shop --user-manager", "no application given"},
		{"Shop a:b --user-manager", `"Shop" cannot be the name of an instance`},
		{"../shop a:b --user-manager", `"../shop" cannot be the name of an instance`},
		{"shop a:b --user-manager --app c:d", "given twice"},
		{"shop a:b --user-manager --workers many", "--workers"},
		{"shop a:b --user-manager --daemon", "daemon"},
		{"shop a:b --user-manager --bind fd://3", "systemd opens the sockets"},
		{"shop a:b --user-manager --bind localhost:8000", `listen has "localhost:8000"; give a path, a port`},
		{"shop a:b --user-manager --user root", "the application runs as you"},
		{"shop a:b --user-manager --dir nowhere", "--dir: "},
		{"shop a:b --user-manager --python ./nowhere", "--python: "},
		{"shop a:b", "there is no /srv/shop; name the application's directory with --dir"},
		{"shop a:b --dir /tmp", "the service cannot see /tmp, because /tmp is hidden from it; move it below /srv"},
	} {
		tr, _ := hostedTrial(t, append(strings.Fields("setup "+c.args), "--dry-run")...)
		status, out, stderr := tr.run()
		if status == exitOK || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %s%s, want %q", c.args, status, out, stderr, c.want)
		}
	}
}

// A module called setup is served like any other.
func TestModuleCalledSetupIsServed(t *testing.T) {
	tr := newTrial(t, "setup", "--workers", "2")
	if status, _, stderr := tr.run(); status != exitOK || tr.master.App != "setup" {
		t.Errorf("status %d, application %q: %s", status, tr.master.App, stderr)
	}
}

// What a person wrote is not deleted with what setup wrote, nor kept where systemd
// would start it again.
func TestRemoveRefuses(t *testing.T) {
	for _, c := range []struct{ text, option, want string }{
		{"wsgi_app = 'a:b'\n", "--dry-run", "indrik setup did not write this file; leave it with --keep-config, or delete it with --force"},
		{"wsgi_app = 'a:b'\n[unit]\n", "--keep-config", `write start = "no" in its [unit] table`},
	} {
		tr, dir := hostedTrial(t, "remove", "shop", "--user-manager", c.option)
		file := filepath.Join(dir, ".config/indrik/shop.toml")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := tr.run(); status != exitConfig || !strings.Contains(stderr, c.want) {
			t.Errorf("status %d, %q, want %q", status, stderr, c.want)
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != c.text {
			t.Errorf("the file is %q, %v", text, err)
		}
	}
}

// Without a session there is no manager of one's own to ask.
func TestUserManagerWantsASession(t *testing.T) {
	tr, _ := hostedTrial(t, "setup", "shop", "a:b", "--user-manager")
	if status, _, stderr := tr.run(); status != exitConfig || !strings.Contains(stderr, "XDG_RUNTIME_DIR is not set") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

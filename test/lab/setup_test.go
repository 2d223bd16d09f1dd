package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// founder runs indrik in the lab; the product is installed as packages do.
func founder(t *testing.T, name string) *service {
	t.Helper()
	s := install(t, name, config{}) // the product; the instance itself is not used
	s.installGenerator()
	return s
}

// indrik runs the binary and returns what it printed, both streams.
func (s *service) indrik(args ...string) (string, error) {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), append([]string{"/usr/bin/indrik"}, args...)...)
	var failed *CommandError
	if errors.As(err, &failed) {
		return failed.Output, err
	}
	return out, err
}

// traces lists what an instance could have left: files, and units that are known.
func (s *service) traces(name string) string {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), "sh", "-c", `find /etc/indrik /etc/systemd /run/indrik /run/systemd/generator* /run/systemd/transient -name '*`+name+`*' ! -path '*/test.conf*'
systemctl list-units --all --plain --no-legend '*`+name+`*'`)
	s.must(err)
	return out
}

// From nothing to an answer by one command, and back to nothing by another.
func TestSetupAndRemove(t *testing.T) {
	t.Parallel()
	s := founder(t, "founder-first")
	s.must(s.lab.CopyTree("testdata/app", "/srv/fresh"))
	given := []string{"setup", "fresh", "webapp:app", "--user", "www-data", "--python", venv + "/bin/python",
		"--bind", "unix:/run/indrik/fresh.sock", "--bind", "127.0.0.1:8117", "--workers", "2"}
	if said, err := s.indrik(given...); err != nil || !strings.Contains(said, "fresh answers at /run/indrik/fresh.sock, 127.0.0.1:8117\n") {
		t.Fatalf("%v: %s", err, said)
	}
	for network, address := range map[string]string{"unix": "/run/indrik/fresh.sock", "tcp": "127.0.0.1:8117"} {
		s.getFrom(network, address, "/", "hello from flask\n")
	}
	out, err := s.lab.Run(s.limit(), "sh", "-euc", `systemctl is-enabled indrik@fresh.socket
ps -o user= -p "$(systemctl show --value --property=MainPID indrik@fresh.service)"`)
	if err != nil || out != "enabled\nwww-data\n" {
		t.Errorf("got %q, %v, want an enabled socket and a master of www-data", out, err)
	}
	if said, err := s.indrik(given...); err == nil || !strings.Contains(said, "there is such a file already; choose another name") {
		t.Errorf("the second time: %v, %s", err, said)
	}
	if said, err := s.indrik(append(given, "--force")...); err != nil || !strings.Contains(said, "to change over: systemctl restart indrik@fresh.socket") {
		t.Errorf("over what runs: %v, %s", err, said)
	}

	said, err := s.indrik("remove", "fresh")
	if err != nil || strings.Contains(said, "left:") {
		t.Errorf("remove: %v, %s", err, said)
	}
	if left := s.traces("fresh"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	if said, err := s.indrik("remove", "fresh"); err == nil || !strings.Contains(said, "no such unit") {
		t.Errorf("the second time: %v, %s", err, said)
	}
}

// An application that cannot be loaded, and a socket that somebody else has, are told
// where they were asked for, and nothing stays.
func TestFailedSetupLeavesNothing(t *testing.T) {
	t.Parallel()
	s := founder(t, "founder-second")
	s.must(s.lab.CopyTree("testdata/app", "/srv/barren"))
	for _, c := range []struct{ options, want string }{
		{"broken:app --boot", "indrik@barren.service did not start (failed)"},
		{"webapp:app --bind unix:/proc/nowhere.sock", "indrik@barren.socket did not start (failed)"},
	} {
		args := append([]string{"setup", "barren"}, strings.Fields(c.options+" --python "+venv+"/bin/python")...)
		if said, err := s.indrik(args...); err == nil || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v, %s, want %q", c.options, err, said, c.want)
		}
		if left := s.traces("barren"); left != "" {
			t.Errorf("%s left behind:\n%s", c.options, left)
		}
	}
}

// Whoever has no right is told so and what to do, whether files or systemd refuse.
func TestSetupByOthers(t *testing.T) {
	t.Parallel()
	s := founder(t, "founder-third")
	s.must(s.lab.CopyTree("testdata/app", "/srv/foreign"))
	s.systemctl("start", "dbus.socket")
	setup := func() string {
		out, err := s.lab.Run(s.limit(), "sh", "-c", "setpriv --reuid=daemon --regid=daemon --clear-groups /usr/bin/indrik setup foreign webapp:app 2>&1")
		if err == nil {
			t.Errorf("it worked: %s", out)
		}
		return out
	}
	if said := setup(); !strings.Contains(said, "user 1 cannot write to /etc/indrik (permission denied); run it as root: sudo indrik setup") {
		t.Errorf("files: %s", said)
	}
	_, err := s.lab.Run(s.limit(), "chmod", "o+w", "/etc/indrik")
	s.must(err)
	t.Cleanup(func() {
		if out, err := s.lab.Command(context.Background(), "chmod", "o-w", "/etc/indrik").CombinedOutput(); err != nil {
			t.Errorf("clean up: %v: %s", err, out)
		}
	})
	if said := setup(); !strings.Contains(said, "systemd does not let user 1 read its units again") || !strings.Contains(said, "sudo indrik setup foreign") {
		t.Errorf("systemd: %s", said)
	}
	s.systemctl("daemon-reload") // another test's may have come while the file was there, and this user's cannot
	if left := s.traces("foreign"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// hostsItself is the part of a user's test in which the user sets up an application
// with the same commands, and one by a file alone.
func hostsItself(t *testing.T, s *service, home string, as func(...string) (string, error)) {
	t.Helper()
	must := func(args ...string) string {
		t.Helper()
		out, err := as(args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	answers := func(name string) {
		t.Helper()
		if out := must("curl", "--silent", "--show-error", "--retry", "20", "--retry-connrefused", "--retry-all-errors", "--retry-delay", "1",
			"--unix-socket", "/run/user/4711/indrik/"+name+".sock", "http://lab.test/"); out != "hello from flask\n" {
			t.Errorf("%s: got %q", name, out)
		}
	}
	must("indrik", "setup", "mine", "webapp:app", "--user-manager", "--dir", home+"/app", "--python", venv+"/bin/python")
	answers("mine")
	must("indrik", "remove", "mine", "--user-manager")
	if out, err := as("sh", "-c", "ls .config/indrik/mine.toml /run/user/4711/indrik/mine.sock; systemctl --user is-active indrik@mine.service"); err == nil {
		t.Errorf("after the removal: %s", out)
	}

	text := fmt.Sprintf("wsgi_app = 'webapp:app'\npython = '%s/bin/python'\n[unit]\ndirectory = '%s/app'\n", venv, home)
	s.must(s.lab.WriteFile(home+"/.config/indrik/dropped.toml", []byte(text), 0o644))
	must("systemctl", "--user", "daemon-reload")
	answers("dropped")
}

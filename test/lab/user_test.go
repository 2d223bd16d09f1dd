package lab

import (
	"fmt"
	"strings"
	"testing"
)

// A person without any rights hosts an application with the same binary: the
// units for a user's own manager, started by the first connection.
func TestUnitsForUsers(t *testing.T) {
	t.Parallel()
	s := install(t, "system", config{}) // the product; the instance itself is not used
	const name, uid = "ursula", "4711"
	_, err := s.lab.Run(s.limit(), "useradd", "--create-home", "--uid", uid, "--shell", "/bin/sh", name)
	s.must(err)
	s.must(s.lab.CopyTree("testdata/app", "/home/"+name+"/app"))
	toml := fmt.Sprintf("wsgi_app = 'webapp:app'\nchdir = '/home/%s/app'\npython = '%s/bin/python'\n", name, venv)
	s.must(s.lab.WriteFile("/home/"+name+"/.config/indrik/own.toml", []byte(toml), 0o644))
	_, err = s.lab.Run(s.limit(), "sh", "-euc", "mkdir -p /etc/systemd/user-generators; ln -sf /usr/bin/indrik /etc/systemd/user-generators/indrik-user-generator")
	s.must(err)
	_, err = s.lab.Run(s.limit(), "chown", "-R", name+":"+name, "/home/"+name)
	s.must(err)
	s.systemctl("start", "dbus.socket", "user@"+uid+".service")
	t.Cleanup(func() { s.systemctlLate("stop", "user@"+uid+".service") })

	as := func(command ...string) (string, error) {
		return s.lab.Run(s.limit(), append([]string{
			"setpriv", "--reuid=" + uid, "--regid=" + uid, "--init-groups",
			"env", "XDG_RUNTIME_DIR=/run/user/" + uid, "HOME=/home/" + name,
		}, command...)...)
	}
	own := func(args ...string) string {
		out, err := as(append([]string{"systemctl", "--user"}, args...)...)
		if err != nil {
			show, _ := as("systemctl", "--user", "status", "--no-pager", "indrik@own.service")
			journal, _ := s.lab.Run(s.limit(), "journalctl", "--no-pager", "--lines=30", "_UID="+uid)
			t.Fatalf("%v\n%s\n%s", err, show, journal)
		}
		return strings.TrimSpace(out)
	}
	own("enable", "--now", "indrik@own.socket")
	out, err := as("curl", "--silent", "--show-error", "--unix-socket", "/run/user/"+uid+"/indrik/own.sock", "http://lab.test/")
	if err != nil || out != "hello from flask\n" {
		journal, _ := s.lab.Run(s.limit(), "journalctl", "--no-pager", "--lines=30", "_UID="+uid)
		t.Fatalf("got %q, %v\n%s", out, err, journal)
	}
	if got := own("show", "--value", "--property=StatusText", "indrik@own.service"); !strings.HasPrefix(got, "serving: 1 worker") {
		t.Errorf("StatusText: got %q", got)
	}
	group := own("show", "--value", "--property=ControlGroup", "indrik@own.service")
	if parts, err := s.lab.Run(s.limit(), "ls", "/sys/fs/cgroup"+group); err != nil || !strings.Contains(parts, "\nworker-0-1-") {
		t.Errorf("parts of the control group: got %q, %v, want one for the worker", parts, err)
	}
	s.must(s.lab.WriteFile("/home/"+name+"/.config/indrik/own.env", []byte("OPTIONS=--control-groups=off\n"), 0o644))
	own("restart", "indrik@own.service")
	if _, err := s.lab.Run(s.limit(), "test", "-e", "/sys/fs/cgroup"+group+"/master"); err == nil {
		t.Error("the control group was divided against the setting")
	}
	own("stop", "indrik@own.socket", "indrik@own.service")
	if got := own("show", "--value", "--property=Result", "indrik@own.service"); got != "success" {
		t.Errorf("Result: got %q, want success", got)
	}
	if _, err := as("systemctl", "--user", "start", "indrik@nowhere.socket"); err == nil {
		t.Error("a name without configuration could be started")
	}
	hostsItself(t, s, "/home/"+name, as)
}

package lab

import (
	"strings"
	"testing"
)

// installGenerator gives the binary its second name, as a package does.
func (s *service) installGenerator() {
	s.t.Helper()
	_, err := s.lab.Run(s.limit(), "sh", "-euc", `mkdir -p /etc/systemd/system-generators
ln -sf /usr/bin/indrik /etc/systemd/system-generators/indrik-generator
systemctl daemon-reload
systemctl start indrik.target`)
	s.must(err)
}

// awaitActive waits for a unit that the target upholds: systemd starts it a
// moment after the command that led to it returned, and announces nothing.
func (s *service) awaitActive(unit string) {
	s.t.Helper()
	for limit := s.limit(); ; {
		if _, err := s.lab.Run(limit, "systemctl", "is-active", "--quiet", unit); err == nil {
			return
		}
		if limit.Err() != nil {
			s.t.Fatalf("%s is not started by its target", unit)
		}
	}
}

// To drop a file into /etc/indrik and reload systemd is all it takes to host an
// application.
func TestFileAndDaemonReloadHostAnApplication(t *testing.T) {
	const address = "127.0.0.1:8131"
	s := install(t, "dropped", config{})
	s.installGenerator()
	s.must(s.lab.Remove("/etc/indrik/dropped.env"))
	s.must(s.lab.CopyTree("testdata/app", "/srv/elsewhere"))
	text := `wsgi_app = "webapp:app"
python = "` + venv + `/bin/python"
[unit]
listen = ["/run/indrik/dropped.sock", "` + address + `"]
directory = "/srv/elsewhere"
socket_group = "nogroup"
memory_max = "1G"
`
	s.must(s.lab.WriteFile("/etc/indrik/dropped.toml", []byte(text), 0o644))
	s.must(s.lab.WriteFile("/etc/indrik/broken.toml", []byte("[unit]\nlistne = 1\n"), 0o644))
	t.Cleanup(func() {
		for _, file := range []string{"dropped", "broken"} {
			_ = s.lab.Remove("/etc/indrik/" + file + ".toml") // broken.toml is ours alone
		}
		s.systemctlLate("daemon-reload")
	})
	s.systemctl("daemon-reload")
	s.awaitActive(s.socket())
	s.getFrom("tcp", address, "/", "hello from flask\n")
	s.get("/", "hello from flask\n")
	s.wantProperty("WorkingDirectory", "/srv/elsewhere")
	s.wantProperty("MemoryMax", "1073741824")
	s.wantProperty("SourcePath", "/etc/indrik/dropped.toml")
	out, err := s.lab.Run(s.limit(), "stat", "-c", "%a %G", s.path())
	if err != nil || out != "660 nogroup\n" {
		t.Errorf("socket: got %q, %v", out, err)
	}

	// What the target upholds comes back; what is stopped with it stays away.
	s.systemctl("stop", "indrik.target")
	s.wantProperty("ActiveState", "inactive")
	s.systemctl("start", "indrik.target")
	s.awaitActive(s.socket())
	s.get("/", "hello from flask\n")

	// At boot means: without anybody's asking.
	s.must(s.lab.WriteFile("/etc/indrik/dropped.toml", []byte(strings.Replace(text, "[unit]", "[unit]\nstart = 'boot'", 1)), 0o644))
	s.systemctl("stop", "indrik.target")
	s.systemctl("daemon-reload")
	s.systemctl("start", "indrik.target")
	s.awaitActive(s.unit())
	s.systemctl("stop", "indrik.target")
}

package lab

import (
	"strings"
	"testing"
)

// systemctl reload brings new code into service and keeps the master; code that
// cannot be loaded changes nothing.
func TestReloadBringsNewCode(t *testing.T) {
	t.Parallel()
	s := install(t, "reload", config{options: "--workers 2"})
	s.systemctl("start", s.unit())
	s.get("/", "hello from flask\n")
	master := s.property("MainPID")
	from, err := s.lab.Cursor(s.limit())
	s.must(err)
	reload := func(app string) error {
		t.Helper()
		s.must(s.lab.WriteFile("/srv/reload/webapp.py", []byte(app), 0o644))
		_, err := s.lab.Run(s.limit(), "systemctl", "reload", s.unit())
		return err
	}
	const second = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'the second\\n']\n"
	s.must(reload(second))
	s.get("/", "the second\n") // at once: the reload was over when systemctl returned
	if err := reload("import no_such_module_anywhere\n"); err == nil {
		t.Error("systemctl reload succeeded with a broken application")
	}
	s.await(from, said("ModuleNotFoundError: No module named 'no_such_module_anywhere'"))
	if words := s.property("StatusText"); !strings.Contains(words, "reload failed: ") || !strings.Contains(words, "no_such_module_anywhere") {
		t.Errorf("systemctl status says %q", words)
	}
	s.get("/", "the second\n")
	s.must(reload(second))
	out, err := s.lab.Run(s.limit(), "indrik", "status", "reload")
	for _, want := range []string{"State: serving: 2 workers, generation 4", "Unit: indrik@reload.service, active (running) since ", "0 restarts"} { // memory and tasks only where there are controllers
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("indrik status: %v; it does not say %q:\n%s", err, want, out)
		}
	}
	s.wantProperty("MainPID", master)
	s.wantProperty("ActiveState", "active")
	s.wantProperty("NRestarts", "0")
	s.systemctl("stop", s.unit())
	s.wantProperty("Result", "success")
}

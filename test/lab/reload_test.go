package lab

import "testing"

// systemctl reload brings new code into service and keeps the master; code that
// cannot be loaded changes nothing.
func TestReloadBringsNewCode(t *testing.T) {
	t.Parallel()
	s := install(t, "reload", config{options: "--workers 2"})
	s.systemctl("start", s.unit())
	s.get("/", "hello from flask\n")
	master := s.property("MainPID")
	reload := func(app string, done string) {
		t.Helper()
		from, err := s.lab.Cursor(s.limit())
		s.must(err)
		s.must(s.lab.WriteFile("/srv/reload/webapp.py", []byte(app), 0o644))
		s.systemctl("reload", s.unit())
		s.await(from, said(done))
	}
	const second = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'the second\\n']\n"
	reload(second, "reload done")
	s.get("/", "the second\n")
	reload("import no_such_module_anywhere\n", "reload failed")
	s.get("/", "the second\n")
	s.wantProperty("MainPID", master)
	s.wantProperty("ActiveState", "active")
	s.wantProperty("NRestarts", "0")
	s.systemctl("stop", s.unit())
	s.wantProperty("Result", "success")
}

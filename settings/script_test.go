package settings

import (
	"reflect"
	"testing"
	"time"
)

// What gunicorn.conf.py files in the wild assign must come out as with Gunicorn.
func TestFromScript(t *testing.T) {
	v := resolve(t, FromScript("gunicorn.conf.py", map[string][]string{
		"workers":               {"2.0"}, // os.cpu_count() / 2
		"threads":               {"4.5"},
		"backlog":               {"0x40"},
		"timeout":               {"0x1e"},
		"graceful_timeout":      {"2.5"},
		"limit_request_line":    {"0o200"},
		"umask":                 {"18"}, // 0o022 in the file
		"bind":                  {"unix:/run/a.sock"},
		"reload":                {"True"},
		"pythonpath":            {"/a", "/b"},
		"secure_scheme_headers": {"X-A=1", "X-B=2"},
		"proc_name":             {"0x10"},
	}))
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"workers", v.Workers(), 2},
		{"threads", v.Threads(), 4},
		{"backlog", v.Backlog(), 64},
		{"timeout", v.Timeout(), 30 * time.Second},
		{"graceful_timeout", v.GracefulTimeout(), 2500 * time.Millisecond},
		{"limit_request_line", v.LimitRequestLine(), 128},
		{"umask", v.Umask(), 0o022},
		{"bind", v.Bind(), []string{"unix:/run/a.sock"}},
		{"reload", v.Reload(), true},
		{"pythonpath", v.PythonPath(), []string{"/a", "/b"}},
		{"secure_scheme_headers", v.SecureSchemeHeaders(), []Pair{{"X-A", "1"}, {"X-B", "2"}}},
		{"proc_name", v.ProcName(), "0x10"},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	if got, want := v.Origin("workers"), "gunicorn.conf.py: workers"; got != want {
		t.Errorf("origin: got %q, want %q", got, want)
	}
	for name, text := range map[string]string{
		"workers": "-1", "threads": "1e2", "backlog": "0xzz", "timeout": "-5", "umask": "0o1000", "max_requests": "1.x",
	} {
		if _, err := Resolve(FromScript("f", map[string][]string{name: {text}})); err == nil {
			t.Errorf("%s = %s is accepted", name, text)
		}
	}
}

func TestSendfileVariable(t *testing.T) {
	for text, want := range map[string]bool{"": true, "y": true, "1": true, "YES": true, "true": true, "no": false, "0": false, "x": false} {
		v := resolve(t, FromPlatform(environment(map[string]string{"SENDFILE": text})))
		if v.Sendfile() != want {
			t.Errorf("SENDFILE=%s: got %v, want %v", text, v.Sendfile(), want)
		}
	}
}

// One setting under two names: uvicorn's and Gunicorn's.
func TestWebSocketSizes(t *testing.T) {
	if got := resolve(t, line("websocket_max_message_size", "1000"), line("ws_max_size", "2000")).WSMaxSize(); got != 1000 {
		t.Errorf("got %d, want 1000", got)
	}
	if got := resolve(t, line("ws_max_size", "2000")).WSMaxSize(); got != 2000 {
		t.Errorf("got %d, want 2000", got)
	}
}

// Values that are equal to the defaults, however they are written, are no news.
func TestIdleDefaultsInOtherWords(t *testing.T) {
	v := resolve(t, line("daemon", "False"), line("control_socket_mode", "0o600"), line("dirty_timeout", "300.0"), line("http_parser", "AUTO"))
	if idle := v.Idle(); len(idle) > 0 {
		t.Errorf("told of %v", idle[0].Name)
	}
}

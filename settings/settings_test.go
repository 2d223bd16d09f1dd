package settings

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite docs/settings.md")

// line makes a command-line layer of one setting.
func line(name string, texts ...string) Layer {
	return Layer{Source: CommandLine, Items: []Item{{Name: name, Texts: texts, Origin: "--" + name}}}
}

func environment(vars map[string]string) func(string) string {
	return func(key string) string { return vars[key] }
}

func resolve(t *testing.T, layers ...Layer) *Values {
	t.Helper()
	v, err := Resolve(layers...)
	if err != nil {
		t.Fatalf("resolve: %v", err)
	}
	return v
}

// A service that is told nothing must run with what Gunicorn's documentation
// promises, but for the notes.
func TestDefaults(t *testing.T) {
	v := resolve(t)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"bind", v.Bind(), []string{"127.0.0.1:8000"}},
		{"admin_bind", v.AdminBind(), ""},
		{"backlog", v.Backlog(), 2048},
		{"workers", v.Workers(), 1},
		{"worker_class", v.WorkerClass(), "auto"},
		{"threads", v.Threads(), 1},
		{"worker_connections", v.WorkerConnections(), 1000},
		{"max_requests", v.MaxRequests(), 0},
		{"max_requests_jitter", v.MaxRequestsJitter(), 0},
		{"preload_app", v.PreloadApp(), false},
		{"reload", v.Reload(), false},
		{"reload_engine", v.ReloadEngine(), "auto"},
		{"reload_extra_files", v.ReloadExtraFiles(), []string{}},
		{"user", v.User(), ""},
		{"group", v.Group(), ""},
		{"umask", v.Umask(), 0},
		{"initgroups", v.Initgroups(), false},
		{"interface", v.Interface(), "auto"},
		{"asgi_loop", v.ASGILoop(), "auto"},
		{"asgi_lifespan", v.ASGILifespan(), "auto"},
		{"root_path", v.RootPath(), ""},
		{"timeout", v.Timeout(), 30 * time.Second},
		{"graceful_timeout", v.GracefulTimeout(), 30 * time.Second},
		{"boot_timeout", v.BootTimeout(), time.Minute},
		{"boot_concurrency", v.BootConcurrency(), 0},
		{"boot_nice", v.BootNice(), 10},
		{"ready_workers", v.ReadyWorkers(), 0},
		{"keep_previous", v.KeepPrevious(), time.Duration(0)},
		{"exec", v.Exec(), []string{}},
		{"exec_ready", v.ExecReady(), "auto"},
		{"exec_ready_after", v.ExecReadyAfter(), time.Duration(0)},
		{"exec_stop_signal", v.ExecStopSignal(), syscall.SIGTERM},
		{"exec_watchdog", v.ExecWatchdog(), time.Duration(0)},
		{"exec_per_worker", v.ExecPerWorker(), false},
		{"exec_nonblocking", v.ExecNonblocking(), false},
		{"exec_fd_store", v.ExecFDStore(), 64},
		{"exec_surge", v.ExecSurge(), 0},
		{"exec_prefix_output", v.ExecPrefixOutput(), false},
		{"keepalive", v.KeepAlive(), 60 * time.Second},
		{"client_timeout", v.ClientTimeout(), 60 * time.Second},
		{"max_connections", v.MaxConnections(), 0},
		{"queue_size", v.QueueSize(), 2048},
		{"queue_timeout", v.QueueTimeout(), 60 * time.Second},
		{"limit_request_line", v.LimitRequestLine(), 4094},
		{"limit_request_fields", v.LimitRequestFields(), 100},
		{"limit_request_field_size", v.LimitRequestFieldSize(), 8190},
		{"permit_unconventional_http_method", v.PermitUnconventionalHTTPMethod(), false},
		{"permit_unconventional_http_version", v.PermitUnconventionalHTTPVersion(), false},
		{"casefold_http_method", v.CasefoldHTTPMethod(), false},
		{"strip_header_spaces", v.StripHeaderSpaces(), false},
		{"permit_obsolete_folding", v.PermitObsoleteFolding(), false},
		{"limit_request_body", v.LimitRequestBody(), 0},
		{"min_body_rate", v.MinBodyRate(), 240},
		{"request_buffering", v.RequestBuffering(), "auto"},
		{"spool_limit", v.SpoolLimit(), 0},
		{"response_memory", v.ResponseMemory(), 256 << 20},
		{"response_buffering", v.ResponseBuffering(), 16 << 20},
		{"tmp_upload_dir", v.TmpUploadDir(), ""},
		{"gateway_threads", v.GatewayThreads(), 0},
		{"chdir", v.Chdir(), ""},
		{"pythonpath", v.PythonPath(), []string{}},
		{"raw_env", v.RawEnv(), []string{}},
		{"python", v.Python(), ""},
		{"loglevel", v.LogLevel(), "info"},
		{"accesslog", v.AccessLog(), ""},
		{"errorlog", v.ErrorLog(), "-"},
		{"capture_output", v.CaptureOutput(), false},
		{"access_log_format", v.AccessLogFormat(), `%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"`},
		{"access_log_buffer", v.AccessLogBuffer(), 4 << 20},
		{"disable_redirect_access_to_syslog", v.DisableRedirectAccessToSyslog(), false},
		{"syslog", v.Syslog(), false},
		{"syslog_addr", v.SyslogAddr(), "udp://localhost:514"},
		{"syslog_prefix", v.SyslogPrefix(), ""},
		{"syslog_facility", v.SyslogFacility(), "user"},
		{"logger_class", v.LoggerClass(), "gunicorn.glogging.Logger"},
		{"logconfig", v.LogConfig(), ""},
		{"logconfig_json", v.LogConfigJSON(), ""},
		{"statsd_host", v.StatsDHost(), ""},
		{"statsd_prefix", v.StatsDPrefix(), ""},
		{"dogstatsd_tags", v.DogStatsDTags(), ""},
		{"enable_backlog_metric", v.EnableBacklogMetric(), false},
		{"pidfile", v.PIDFile(), ""},
		{"proc_name", v.ProcName(), ""},
		{"config", v.Config(), ""},
		{"check_config", v.CheckConfig(), false},
		{"print_config", v.PrintConfig(), false},
		{"wsgi_app", v.WSGIApp(), ""},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %#v, want %#v", c.name, c.got, c.want)
		}
		if v.Source(c.name) != Default || v.Origin(c.name) != "default" {
			t.Errorf("%s: comes from %v (%s), want the default", c.name, v.Source(c.name), v.Origin(c.name))
		}
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		name  string
		texts []string
		got   func(*Values) any
		want  any
	}{
		{"bind", []string{"unix:/a", " :80 "}, func(v *Values) any { return v.Bind() }, []string{"unix:/a", ":80"}},
		{"workers", []string{"1024"}, func(v *Values) any { return v.Workers() }, 1024},
		{"workers", []string{" 007 "}, func(v *Values) any { return v.Workers() }, 7},
		{"timeout", []string{"0"}, func(v *Values) any { return v.Timeout() }, time.Duration(0)},
		{"timeout", []string{"0.5"}, func(v *Values) any { return v.Timeout() }, 500 * time.Millisecond},
		{"timeout", []string{"1000000000"}, func(v *Values) any { return v.Timeout() }, 1_000_000_000 * time.Second},
		{"loglevel", []string{"WARNING"}, func(v *Values) any { return v.LogLevel() }, "warning"},
		{"worker_class", []string{"Sync"}, func(v *Values) any { return v.WorkerClass() }, "sync"},
		{"worker_class", []string{"uvicorn.workers.UvicornWorker"}, func(v *Values) any { return v.WorkerClass() }, "asgi"},
		{"worker_class", []string{"uvicorn_worker.UvicornH11Worker"}, func(v *Values) any { return v.WorkerClass() }, "asgi"},
		{"worker_class", []string{"gunicorn.workers.ggevent.GeventWorker"}, func(v *Values) any { return v.WorkerClass() }, "gevent"},
		{"worker_class", []string{"egg:gunicorn#gevent"}, func(v *Values) any { return v.WorkerClass() }, "gevent"},
		{"umask", []string{"022"}, func(v *Values) any { return v.Umask() }, 0o22},
		{"umask", []string{"0x12"}, func(v *Values) any { return v.Umask() }, 0o22},
		{"pythonpath", []string{"/a, b,,"}, func(v *Values) any { return v.PythonPath() }, []string{"/a", "b"}},
		{"raw_env", []string{"A=1", "B=", "C=x=y"}, func(v *Values) any { return v.RawEnv() }, []string{"A=1", "B=", "C=x=y"}},
		{"accesslog", []string{"-"}, func(v *Values) any { return v.AccessLog() }, "-"},
	} {
		v, err := Resolve(line(c.name, c.texts...))
		if err != nil {
			t.Errorf("%s %q: %v", c.name, c.texts, err)
			continue
		}
		if got := c.got(v); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q: got %#v, want %#v", c.name, c.texts, got, c.want)
		}
	}
}

// Each refusal must tell the user which setting, what he wrote, and what to
// write instead.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, text string
		wantAll    []string
	}{
		{"workers", "lots", []string{"not a whole number", "1 to 1024"}},
		{"workers", "", []string{"not a whole number"}},
		{"workers", "2.5", []string{"not a whole number"}},
		{"workers", "0x10", []string{"not a whole number"}},
		{"workers", "0", []string{"out of range", "1 to 1024"}},
		{"workers", "-1", []string{"out of range"}},
		{"workers", "99999999999999999999", []string{"out of range"}},
		{"gateway_threads", "63", []string{"out of range", "0 to 62"}},
		{"timeout", "30x", []string{"not a length of time", "units like 1m30s"}},
		{"timeout", "", []string{"not a length of time"}},
		{"timeout", ".", []string{"not a length of time"}},
		{"timeout", "1.2.3", []string{"not a length of time"}},
		{"timeout", "nan", []string{"not a length of time"}},
		{"timeout", "inf", []string{"not a length of time"}},
		{"timeout", "1e3", []string{"not a length of time"}},
		{"timeout", "-1", []string{"out of range"}},
		{"timeout", "1000000001", []string{"out of range"}},
		{"timeout", strings.Repeat("9", 400), []string{"out of range"}},
		{"loglevel", "loud", []string{"not known", "debug, info, warning, error, critical"}},
		{"worker_class", "gevnt", []string{"not known", "auto, sync, gthread, gevent, eventlet, asgi"}},
		{"worker_class", "tornado", []string{"not supported", "gthread"}},
		{"worker_class", "gunicorn.workers.gtornado.TornadoWorker", []string{"not supported", "gthread"}},
		{"worker_class", "mine.Worker", []string{"one's own", "gthread"}},
		{"umask", "089", []string{"not a whole number"}},
		{"umask", "01000", []string{"out of range"}},
		{"bind", "", []string{"empty", "127.0.0.1:8000"}},
		{"raw_env", "DEBUG", []string{"not NAME=VALUE", "DEBUG=1"}},
		{"raw_env", "=1", []string{"not NAME=VALUE"}},
		{"chdir", "/a\x00b", []string{"NUL"}},
	} {
		_, err := Resolve(line(c.name, c.text))
		var refused *ValueError
		if !errors.As(err, &refused) {
			t.Errorf("%s %q: got %v, want a ValueError", c.name, c.text, err)
			continue
		}
		if refused.Source != CommandLine || refused.Text != c.text || refused.Setting.Name != c.name {
			t.Errorf("%s %q: error says %v %q %s", c.name, c.text, refused.Source, refused.Text, refused.Setting.Name)
		}
		for _, want := range append(c.wantAll, "setting "+c.name, "--"+c.name, ";") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s %q: error %q does not say %q", c.name, c.text, err, want)
			}
		}
	}
}

// What Gunicorn makes of it, so must we: users add --threads to a sync service.
func TestSyncWithThreadsIsGthread(t *testing.T) {
	for class, want := range map[string]string{"sync": "gthread", "gthread": "gthread", "auto": "auto", "gevent": "gevent"} {
		if got := resolve(t, line("worker_class", class), line("threads", "4")).WorkerClass(); got != want {
			t.Errorf("%s with 4 threads: got %s, want %s", class, got, want)
		}
	}
}

func TestStrongerSourceWins(t *testing.T) {
	env := FromPlatform(environment(map[string]string{"WEB_CONCURRENCY": "3", "PORT": "5000"}))
	v := resolve(t, env)
	if v.Workers() != 3 || v.Source("workers") != Platform || v.Origin("workers") != "WEB_CONCURRENCY" {
		t.Errorf("workers: got %d from %v (%s)", v.Workers(), v.Source("workers"), v.Origin("workers"))
	}
	if want := []string{"0.0.0.0:5000"}; !slices.Equal(v.Bind(), want) || v.Origin("bind") != "PORT" {
		t.Errorf("bind: got %v from %s, want %v from PORT", v.Bind(), v.Origin("bind"), want)
	}
	// The order in which the layers are handed over must not matter.
	for _, layers := range [][]Layer{
		{env, line("workers", "7"), line("bind", ":1", ":2")},
		{line("workers", "7"), line("bind", ":1", ":2"), env},
	} {
		v = resolve(t, layers...)
		if v.Workers() != 7 || v.Origin("workers") != "--workers" {
			t.Errorf("workers: got %d from %s, want 7 from --workers", v.Workers(), v.Origin("workers"))
		}
		if want := []string{":1", ":2"}; !slices.Equal(v.Bind(), want) {
			t.Errorf("bind: got %v, want %v: lists replace", v.Bind(), want)
		}
	}
	v = resolve(t, line("workers", "7"), line("workers", "8"))
	if v.Workers() != 8 {
		t.Errorf("workers: got %d, want 8 of the later layer", v.Workers())
	}
}

// Platforms declare variables without a value, and Gunicorn crashes on it.
func TestEmptyVariableCountsAsUnset(t *testing.T) {
	v := resolve(t, FromPlatform(environment(map[string]string{"WEB_CONCURRENCY": "", "PORT": ""})))
	if v.Source("workers") != Default || v.Source("bind") != Default {
		t.Errorf("got %v and %v, want the defaults", v.Source("workers"), v.Source("bind"))
	}
}

func TestBadVariable(t *testing.T) {
	for name, text := range map[string]string{"PORT": "tcp://10.0.0.1:80", "WEB_CONCURRENCY": "many"} {
		env := FromPlatform(environment(map[string]string{name: text}))
		_, err := Resolve(env)
		var refused *ValueError
		if !errors.As(err, &refused) {
			t.Errorf("%s=%s: got %v, want a ValueError", name, text, err)
			continue
		}
		if refused.Source != Platform || refused.Origin != name || refused.Text != text {
			t.Errorf("%s=%s: error says %v %s %q", name, text, refused.Source, refused.Origin, refused.Text)
		}
		if _, err := Resolve(env, line("bind", ":1"), line("workers", "2")); err != nil {
			t.Errorf("%s=%s, overridden: got %v, want no error", name, text, err)
		}
	}
}

func TestItemsThatCannotBe(t *testing.T) {
	_, err := Resolve(line("wrokers", "1"))
	var unknown *UnknownError
	if !errors.As(err, &unknown) || unknown.Name != "wrokers" {
		t.Errorf("unknown name: got %v, want an UnknownError", err)
	}
	for _, texts := range [][]string{nil, {"1", "2"}} {
		var refused *ValueError
		if _, err := Resolve(line("workers", texts...)); !errors.As(err, &refused) {
			t.Errorf("workers %q: got %v, want a ValueError", texts, err)
		}
	}
	if v := resolve(t, line("bind")); len(v.Bind()) != 0 || v.Source("bind") != CommandLine {
		t.Errorf("a list said to be empty: got %v from %v", v.Bind(), v.Source("bind"))
	}
}

// Whoever changes what an accessor returned must not change the service.
func TestSlicesAreTheCallers(t *testing.T) {
	v := resolve(t, line("bind", ":1"), line("raw_env", "A=1"), line("pythonpath", "/a"))
	for _, read := range []func() []string{v.Bind, v.RawEnv, v.PythonPath} {
		want := slices.Clone(read())
		read()[0] = "changed"
		if got := read(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	All()[0].Name = "changed"
	if registry[0].Name != "bind" {
		t.Errorf("All handed out the registry itself")
	}
}

func TestRegistryIsSound(t *testing.T) {
	seen := map[string]string{"--help": "the program", "-h": "the program", "--version": "the program", "-v": "the program"}
	for _, s := range All() {
		for _, key := range []string{"name " + s.Name, "--" + s.Flag, "-" + s.Short, "$" + s.Env} {
			if key == "-" || key == "$" {
				continue
			}
			if other, ok := seen[key]; ok {
				t.Errorf("%s: %s belongs to %s", s.Name, key, other)
			}
			seen[key] = s.Name
		}
		if s.Name == "" || s.Flag == "" || (s.Metavar == "") != (s.Kind == Bool) || s.Since == "" || s.Help == "" {
			t.Errorf("%q: a field is missing: %+v", s.Name, s)
		}
		if strings.HasSuffix(s.Help, ".") || strings.ContainsAny(s.Help, "\n|") {
			t.Errorf("%s: help is not one sentence without a stop: %q", s.Name, s.Help)
		}
		if !slices.Contains(Groups(), s.Group) {
			t.Errorf("%s: group %q is not shown anywhere", s.Name, s.Group)
		}
		if (s.Kind == Int || s.Kind == Seconds || s.Kind == Bytes) != (s.Max > 0) || (s.Kind == Choice) != (len(s.Choices) > 0) {
			t.Errorf("%s: limits do not fit its kind", s.Name)
		}
		if got, ok := ByName(s.Name); !ok || got.Flag != s.Flag {
			t.Errorf("%s: ByName finds %+v", s.Name, got)
		}
	}
	if _, ok := ByName("nothing"); ok {
		t.Error("ByName finds a setting called nothing")
	}
}

func TestDocumentIsCurrent(t *testing.T) {
	path := filepath.Join("..", "docs", "settings.md")
	if *update {
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Markdown() {
		t.Errorf("%s is not what the registry says; run: go test ./settings -update", path)
	}
}

// FuzzResolve looks for a text that makes a parser panic or pass a limit.
func FuzzResolve(f *testing.F) {
	for _, text := range []string{"1", "-1", "1e9", ".", "0.5", "A=1", "a,b", "sync", "\x00", "９"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range All() {
			v, err := Resolve(line(s.Name, text))
			if err != nil {
				continue
			}
			switch got := v.entries[s.Name].value.(type) {
			case int:
				if got < s.Min || got > s.Max {
					t.Errorf("%s %q: %d is outside of %d to %d", s.Name, text, got, s.Min, s.Max)
				}
			case time.Duration:
				if got < 0 || got > maxSeconds*time.Second {
					t.Errorf("%s %q: %v is outside of the limits", s.Name, text, got)
				}
			}
		}
	})
}

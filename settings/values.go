package settings

import (
	"reflect"
	"slices"
	"time"

	"github.com/kballard/go-shellquote"
)

// Values is what was decided for every setting. It is made by [Resolve], never
// changes, and may be read by any goroutine; the zero Values is not usable.
// Slices that its methods return are the caller's.
type Values struct {
	entries map[string]entry
}

type entry struct {
	value  any
	texts  []string
	source Source
	origin string
}

// Source returns where the value of the named setting came from; [Default] for
// a name that is no setting.
func (v *Values) Source(name string) Source { return v.entries[name].source }

// Origin returns what a user can look for to find the value again: an option
// like "--workers", a variable like "WEB_CONCURRENCY", or "default".
func (v *Values) Origin(name string) string { return v.entries[name].origin }

// Any returns the value of the named setting: a string, int, bool, time.Duration
// []string or []Pair as its kind says; nil for a name that is no setting.
func (v *Values) Any(name string) any { return v.entries[name].value }

// Text returns the value of the named setting as it was written, a list as the
// words of a shell; "" for a name that is no setting.
func (v *Values) Text(name string) string { return shellquote.Join(v.entries[name].texts...) }

// Idle returns the settings that were set to something and have no effect, in the
// order of the registry.
func (v *Values) Idle() []Setting {
	var idle []Setting
	for _, s := range registry {
		e := v.entries[s.Name]
		if s.Instead == "" || e.source == Default {
			continue
		}
		if usual, err := s.read(s.standard()); err != nil || !reflect.DeepEqual(usual, e.value) {
			idle = append(idle, s)
		}
	}
	return idle
}

// of reads a value whose type the registry fixed. A test calls every accessor,
// so a wrong name or type here does not reach a user.
func of[T any](v *Values, name string) T { return v.entries[name].value.(T) }

// Bind returns the addresses to listen on, as written, in order. They are not
// checked beyond being non-empty; the grammar is activation's. The default is
// meant for a service that was passed no socket: see Source("bind").
func (v *Values) Bind() []string { return slices.Clone(of[[]string](v, "bind")) }

// AdminBind is where probes and scrapers are answered; "" for nowhere.
func (v *Values) AdminBind() string { return of[string](v, "admin_bind") }

// Backlog returns the length of the kernel's accept queue for sockets that
// Indrik binds, 1 to 1048576.
func (v *Values) Backlog() int { return of[int](v, "backlog") }

// Workers returns how many workers to keep, 1 to 1024, or [Auto].
func (v *Values) Workers() int { return of[int](v, "workers") }

// WorkerClass returns the class of the workers: "auto", "sync", "gthread",
// "gevent", "eventlet" or "asgi". It is never "sync" with more than one thread,
// which means gthread.
func (v *Values) WorkerClass() string {
	class := of[string](v, "worker_class")
	if class == "sync" && v.Threads() > 1 {
		return "gthread"
	}
	return class
}

// Timeout returns the longest a worker may hold one request or be silent; 0
// means no limit.
func (v *Values) Timeout() time.Duration { return of[time.Duration](v, "timeout") }

// GracefulTimeout returns how long requests in flight may take to finish when
// a worker or the service stops; 0 means that they are not waited for.
func (v *Values) GracefulTimeout() time.Duration { return of[time.Duration](v, "graceful_timeout") }

// ShutdownDelay returns how long the service goes on after it was asked to stop,
// without being ready; 0 means that it stops at once.
func (v *Values) ShutdownDelay() time.Duration { return of[time.Duration](v, "shutdown_delay") }

// KeepAlive returns how long an idle connection stays open; 0 means that each
// connection is closed after its first response.
func (v *Values) KeepAlive() time.Duration { return of[time.Duration](v, "keepalive") }

// ClientTimeout bounds how long a client may move no byte of a begun request
// or response.
func (v *Values) ClientTimeout() time.Duration { return of[time.Duration](v, "client_timeout") }

// MaxConnections is how many clients may be connected at a time; 0 for no limit.
func (v *Values) MaxConnections() int { return of[int](v, "max_connections") }

// QueueSize is how many requests may wait for a worker.
func (v *Values) QueueSize() int { return of[int](v, "queue_size") }

// QueueTimeout is how long each of them may wait.
func (v *Values) QueueTimeout() time.Duration { return of[time.Duration](v, "queue_timeout") }

// LimitRequestLine bounds the request line in bytes; 0 for no limit of its own.
func (v *Values) LimitRequestLine() int { return of[int](v, "limit_request_line") }

// LimitRequestFields bounds the number of header fields; 0 for no limit.
func (v *Values) LimitRequestFields() int { return of[int](v, "limit_request_fields") }

// LimitRequestFieldSize bounds one header field in bytes; 0 for no limit of its
// own.
func (v *Values) LimitRequestFieldSize() int { return of[int](v, "limit_request_field_size") }

// LimitRequestHead bounds a whole request head in bytes, 1024 to 65536.
func (v *Values) LimitRequestHead() int { return of[int](v, "limit_request_head") }

// PermitUnconventionalHTTPMethod lets every token be a method.
func (v *Values) PermitUnconventionalHTTPMethod() bool {
	return of[bool](v, "permit_unconventional_http_method")
}

// PermitUnconventionalHTTPVersion lets every version be served.
func (v *Values) PermitUnconventionalHTTPVersion() bool {
	return of[bool](v, "permit_unconventional_http_version")
}

// CasefoldHTTPMethod makes methods upper case.
func (v *Values) CasefoldHTTPMethod() bool { return of[bool](v, "casefold_http_method") }

// StripHeaderSpaces takes off blanks before the colon of a field.
func (v *Values) StripHeaderSpaces() bool { return of[bool](v, "strip_header_spaces") }

// PermitObsoleteFolding joins folded fields.
func (v *Values) PermitObsoleteFolding() bool { return of[bool](v, "permit_obsolete_folding") }

// LimitRequestBody bounds a request's body in bytes; 0 for no limit.
func (v *Values) LimitRequestBody() int { return of[int](v, "limit_request_body") }

// MinBodyRate is the least average pace of clients, in bytes per second; 0 for
// none.
func (v *Values) MinBodyRate() int { return of[int](v, "min_body_rate") }

// RequestBuffering is "auto", "on" or "off".
func (v *Values) RequestBuffering() string { return of[string](v, "request_buffering") }

// ResponseMemory bounds the finished responses in memory, in bytes.
func (v *Values) ResponseMemory() int { return of[int](v, "response_memory") }

// SpoolLimit bounds what is in TmpUploadDir at a time, in bytes; 0 for a share of
// what is free there.
func (v *Values) SpoolLimit() int { return of[int](v, "spool_limit") }

// ResponseBuffering is how many bytes of a streamed response are held for a
// slow client.
func (v *Values) ResponseBuffering() int { return of[int](v, "response_buffering") }

// TmpUploadDir is where large bodies are kept until their request ends; "" for
// the system's choice.
func (v *Values) TmpUploadDir() string { return of[string](v, "tmp_upload_dir") }

// GatewayThreads returns the number of event loops of the gateway, 1 to 62, or
// 0 when the gateway's starter is to choose.
func (v *Values) GatewayThreads() int { return of[int](v, "gateway_threads") }

// Chdir returns the directory to change to, or "" to stay.
func (v *Values) Chdir() string { return of[string](v, "chdir") }

// PythonPath returns the directories to put before Python's module path. They
// are to be inserted at its front one by one in this order, as Gunicorn does,
// which leaves the last one first.
func (v *Values) PythonPath() []string { return slices.Clone(of[[]string](v, "pythonpath")) }

// RawEnv returns variables for the application as NAME=VALUE, in order; of two
// with one name the later one counts.
func (v *Values) RawEnv() []string { return slices.Clone(of[[]string](v, "raw_env")) }

// Python returns the interpreter to run the application with. cmd/ resolves
// what was given, or what the environment suggests, to an absolute path before
// it hands Values on, so only Values made elsewhere (tests) hold "" or a bare name.
func (v *Values) Python() string { return of[string](v, "python") }

// PIDFile returns the path to write the master's process number to, or "" for
// none.
func (v *Values) PIDFile() string { return of[string](v, "pidfile") }

// ProcName returns the name for the process list, or "" when none was given.
func (v *Values) ProcName() string { return of[string](v, "proc_name") }

// Config returns the configuration file that was named, or "".
func (v *Values) Config() string { return of[string](v, "config") }

// CheckConfig asks to load configuration and application and serve nothing.
func (v *Values) CheckConfig() bool { return of[bool](v, "check_config") }

// PrintConfig asks to print the settings and serve nothing.
func (v *Values) PrintConfig() bool { return of[bool](v, "print_config") }

// WSGIApp returns the application for when the command line names none, or "".
func (v *Values) WSGIApp() string { return of[string](v, "wsgi_app") }

// ControlSocket returns where the control socket was asked for, or "".
func (v *Values) ControlSocket() string { return of[string](v, "control_socket") }

// ControlSocketMode returns the rights on its file, 0 to 0777.
func (v *Values) ControlSocketMode() int { return of[int](v, "control_socket_mode") }

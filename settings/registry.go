package settings

// maxSeconds bounds every length of time: about 31 years, far from the
// overflow of time.Duration (292 years) also after additions.
const maxSeconds = 1_000_000_000

// maxThreads is 63 because a spawn order carries one reply socket per gateway
// thread and one report socket, and the kernel passes 64 descriptors with it
// by docs/protocol.md; the loop's six bits of a request id allow as many.
const maxThreads = 63

// registry is the one table. It is never written after the program started.
var registry = []Setting{
	{
		Name: "bind", Flag: "bind", Short: "b", Metavar: "ADDRESS", Group: Sockets, Kind: List,
		Default: "127.0.0.1:8000", DefaultHelp: "127.0.0.1:8000 if systemd passes no socket",
		Env: "PORT", fromEnv: portToBind, check: notEmpty("an address like 127.0.0.1:8000 or unix:/run/app.sock"),
		Help:  "Listen on HOST:PORT, [V6]:PORT, unix:PATH or fd://N; may be repeated",
		Note:  "Sockets passed by systemd and those named here are all served. Gunicorn ignores `--bind` silently when it is socket-activated. `PORT` stands for `0.0.0.0:$PORT`.",
		Since: "0.1.0",
	},
	{
		Name: "backlog", Flag: "backlog", Metavar: "N", Group: Sockets, Kind: Int,
		Default: "2048", Min: 1, Max: 1 << 20,
		Help:  "Let this many connections wait in the kernel for each bound socket",
		Note:  "The kernel caps it at net.core.somaxconn. It does not touch sockets passed by systemd: their unit's `Backlog=` stays in force, where Gunicorn overrides it.",
		Since: "0.1.0",
	},
	{
		Name: "workers", Flag: "workers", Short: "w", Metavar: "N", Group: Workers, Kind: Int,
		Default: "1", Env: "WEB_CONCURRENCY", Min: 1, Max: 1024,
		Help:  "Keep this many worker processes alive",
		Note:  "An empty `WEB_CONCURRENCY` counts as unset.",
		Since: "0.1.0",
	},
	{
		Name: "worker_class", Flag: "worker-class", Short: "k", Metavar: "CLASS", Group: Workers, Kind: Choice,
		Default: "sync", Choices: []string{"sync"},
		Help:  "Run requests in workers of this class",
		Since: "0.1.0",
	},
	{
		Name: "timeout", Flag: "timeout", Short: "t", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "30", Min: 0, Max: maxSeconds,
		Help:  "Kill a worker that holds one request, or is silent, longer than this; 0 for no limit",
		Since: "0.1.0",
	},
	{
		Name: "graceful_timeout", Flag: "graceful-timeout", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "30", Min: 0, Max: maxSeconds,
		Help:  "Give requests in flight this long to finish when a worker or the service stops",
		Since: "0.1.0",
	},
	{
		Name: "keepalive", Flag: "keep-alive", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "60", Min: 0, Max: maxSeconds,
		Help:  "Keep an idle connection open this long for its next request; 0 closes after each response",
		Note:  "Gunicorn's default is 2, because there an idle connection occupies part of a worker. Here the gateway holds it at the cost of a few kilobytes and no worker, and a client that comes back is spared a handshake.",
		Since: "0.1.0",
	},
	{
		Name: "client_timeout", Flag: "client-timeout", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "60", Min: 1, Max: maxSeconds,
		Help:  "Close a connection that moves no byte of a begun request or response for this long",
		Note:  "A request head must be complete within this time, however its bytes trickle in. Gunicorn has no such limit.",
		Since: "0.1.0",
	},
	{
		Name: "max_connections", Flag: "max-connections", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "0", DefaultHelp: "0, what the limit of open files allows", Min: 0, Max: 1 << 20,
		Help:  "Hold at most this many client connections; others wait in the accept queue",
		Note:  "Gunicorn's `worker_connections` bounds what one worker holds. Here workers hold none.",
		Since: "0.1.0",
	},
	{
		Name: "queue_size", Flag: "queue-size", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "2048", Min: 1, Max: 1 << 20,
		Help:  "Let this many requests wait for a worker; past it clients get 503",
		Note:  "The 503 carries Retry-After. Gunicorn has no such limit but the kernel's accept queue.",
		Since: "0.1.0",
	},
	{
		Name: "queue_timeout", Flag: "queue-timeout", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "60", Min: 1, Max: maxSeconds,
		Help:  "Answer 503 to a request that has waited this long for a worker",
		Note:  "The 503 carries Retry-After. The time in a worker's hands is `timeout`'s business.",
		Since: "0.1.0",
	},
	{
		Name: "limit_request_line", Flag: "limit-request-line", Metavar: "BYTES", Group: Gateway, Kind: Int,
		Default: "4094", Min: 0, Max: 65536,
		Help:  "Refuse a longer request line with 414; 0 for no limit but that of the whole head",
		Note:  "Gunicorn takes more than 8190 for 8190. The whole head is at most 64 KiB.",
		Since: "0.1.0",
	},
	{
		Name: "limit_request_fields", Flag: "limit-request-fields", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "100", Min: 0, Max: 32768,
		Help:  "Refuse a request with more header fields with 431; 0 for no limit but that of the whole head",
		Since: "0.1.0",
	},
	{
		Name: "limit_request_field_size", Flag: "limit-request-field_size", Metavar: "BYTES", Group: Gateway, Kind: Int,
		Default: "8190", Min: 0, Max: 65536,
		Help:  "Refuse a longer header field with 431; 0 for no limit but that of the whole head",
		Since: "0.1.0",
	},
	{
		Name: "permit_unconventional_http_method", Flag: "permit-unconventional-http-method", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Accept every token as a method: lower case, one letter, #",
		Note:    "Without it a method has 3 to 20 characters, capitals among its letters only. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "permit_unconventional_http_version", Flag: "permit-unconventional-http-version", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Accept versions other than HTTP/1.0 to HTTP/1.9",
		Note:    "What is older is served as 1.0, what is newer as 1.1. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "casefold_http_method", Flag: "casefold-http-method", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Make methods upper case",
		Note:    "It matters only with `permit_unconventional_http_method`. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "strip_header_spaces", Flag: "strip-header-spaces", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Take off blanks between the name of a header field and its colon",
		Note:    "RFC 9112 section 5.1 demands a refusal, because servers in front may read such a field differently. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "permit_obsolete_folding", Flag: "permit-obsolete-folding", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Join header fields that are folded over several lines",
		Note:    "Host, Content-Length and Transfer-Encoding may not be folded even so. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "limit_request_body", Flag: "limit-request-body", Metavar: "BYTES", Group: Gateway, Kind: Int,
		Default: "0", DefaultHelp: "0, no limit", Min: 0, Max: 1 << 50,
		Help:  "Refuse a larger request body with 413",
		Note:  "Gunicorn has no such setting; the name is that of Apache's `LimitRequestBody`.",
		Since: "0.1.0",
	},
	{
		Name: "tmp_upload_dir", Flag: "tmp-upload-dir", Metavar: "DIR", Group: Gateway, Kind: String,
		DefaultHelp: "TMPDIR, or /tmp",
		Help:        "Keep request bodies of more than 1 MiB here, as files without a name, until their request ends",
		Note:        "Gunicorn accepts this setting and does not use it.",
		Since:       "0.1.0",
	},
	{
		Name: "forwarded_allow_ips", Flag: "forwarded-allow-ips", Metavar: "ADDRESSES", Group: Gateway, Kind: String,
		Default: "127.0.0.1,::1", Env: "FORWARDED_ALLOW_IPS",
		Help:  "Believe X-Forwarded-Proto and its kin from these proxies, with commas between them; * for all",
		Note:  "Addresses and networks (`10.0.0.0/8`). Peers on Unix sockets are always believed.",
		Since: "0.1.0",
	},
	{
		Name: "gateway_threads", Flag: "gateway-threads", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "0", DefaultHelp: "0, as many as the processors suggest", Min: 0, Max: maxThreads,
		Help:  "Serve clients with this many event loops in the gateway; 0 chooses",
		Note:  "Gunicorn has no such setting.",
		Since: "0.1.0",
	},
	{
		Name: "chdir", Flag: "chdir", Metavar: "DIR", Group: Application, Kind: String,
		DefaultHelp: "the current directory",
		Help:        "Change to this directory before the application is loaded",
		Since:       "0.1.0",
	},
	{
		Name: "pythonpath", Flag: "pythonpath", Metavar: "DIRS", Group: Application, Kind: CommaList,
		Help:  "Put these directories, with commas between them, before Python's module path",
		Since: "0.1.0",
	},
	{
		Name: "raw_env", Flag: "env", Short: "e", Metavar: "NAME=VALUE", Group: Application, Kind: List,
		check: checkEnv,
		Help:  "Set a variable in the environment of the application; may be repeated",
		Since: "0.1.0",
	},
	{
		Name: "python", Flag: "python", Metavar: "PATH", Group: Application, Kind: String,
		DefaultHelp: "the active virtual environment's python, else python3",
		Help:        "Run the application with this Python, 3.9 or newer",
		Note:        "Gunicorn has no such setting: it runs in the Python that started it.",
		Since:       "0.1.0",
	},
	{
		Name: "loglevel", Flag: "log-level", Metavar: "LEVEL", Group: Service, Kind: Choice,
		Default: "info", Choices: []string{"debug", "info", "warning", "error", "critical"},
		Help:  "Log what is at least this severe: debug, info, warning, error or critical",
		Note:  "An unknown level is refused; Gunicorn takes it for info.",
		Since: "0.1.0",
	},
	{
		Name: "accesslog", Flag: "access-logfile", Metavar: "FILE", Group: Service, Kind: String,
		DefaultHelp: "no access log",
		Help:        "Write a line for each request to this file; - is standard output",
		Since:       "0.1.0",
	},
	{
		Name: "pidfile", Flag: "pid", Short: "p", Metavar: "FILE", Group: Service, Kind: String,
		DefaultHelp: "none",
		Help:        "Write the master's process number to this file",
		Since:       "0.1.0",
	},
	{
		Name: "proc_name", Flag: "name", Short: "n", Metavar: "NAME", Group: Service, Kind: String,
		DefaultHelp: "the application's name",
		Help:        "Show this name in the process list",
		Since:       "0.1.0",
	},
}

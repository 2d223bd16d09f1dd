package settings

// idleSettings are Gunicorn's that have nothing to act upon here. They are accepted,
// so that its command lines and files go on working; whoever sets one is told once
// what takes its place.
var idleSettings = []Setting{
	{
		Name: "worker_tmp_dir", Flag: "worker-tmp-dir", Metavar: "DIR", Group: Idle, Kind: String,
		DefaultHelp: "none",
		Help:        "Directory of Gunicorn's heartbeat files",
		Instead:     "workers give their sign of life through shared memory, which no slow disk can hold up",
		Since:       "0.1.0",
	},
	{
		Name: "daemon", Flag: "daemon", Short: "D", Group: Idle, Kind: Bool,
		Default: "false",
		Help:    "Put Gunicorn into the background",
		Instead: "Indrik stays in the foreground, where systemd, a container or nohup(1) expects it",
		Since:   "0.1.0",
	},
	{
		Name: "enable_stdio_inheritance", Flag: "enable-stdio-inheritance", Short: "R", Group: Idle, Kind: Bool,
		Default: "false",
		Help:    "Keep standard output and error when Gunicorn goes into the background",
		Instead: "Indrik stays in the foreground and always keeps them",
		Since:   "0.1.0",
	},
	{
		Name: "reuse_port", Flag: "reuse-port", Group: Idle, Kind: Bool,
		Default: "false",
		Help:    "Bind one socket per Gunicorn worker",
		Instead: "one gateway accepts and any idle worker takes the next request; gateway_threads adds accepting threads",
		Since:   "0.1.0",
	},
	{
		Name: "http_parser", Flag: "http-parser", Metavar: "PARSER", Group: Idle, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "fast", "python"},
		Help:    "Choose one of Gunicorn's parsers of HTTP/1.1",
		Instead: "the gateway has one parser, in Go",
		Since:   "0.1.0",
	},
	{
		Name: "default_proc_name", Flag: "default-proc-name", Metavar: "NAME", Group: Idle, Kind: String,
		Default: "gunicorn",
		Help:    "Name that Gunicorn gives its processes by itself",
		Instead: "use proc_name",
		Since:   "0.1.0",
	},
	{
		Name: "dirty_apps", Flag: "dirty-app", Metavar: "APP", Group: Idle, Kind: List,
		Help:    "Load these applications in Gunicorn's dirty workers",
		Instead: noDirty,
		Since:   "0.1.0",
	},
	{
		Name: "dirty_workers", Flag: "dirty-workers", Metavar: "N", Group: Idle, Kind: Int,
		Default: "0", Min: 0, Max: 1024,
		Help:    "Number of Gunicorn's dirty workers",
		Instead: noDirty,
		Since:   "0.1.0",
	},
	{
		Name: "dirty_timeout", Flag: "dirty-timeout", Metavar: "SECONDS", Group: Idle, Kind: Seconds,
		Default: "300", Min: 0, Max: maxSeconds,
		Help:    "Limit of a task in Gunicorn's dirty workers",
		Instead: noDirty,
		Since:   "0.1.0",
	},
	{
		Name: "dirty_threads", Flag: "dirty-threads", Metavar: "N", Group: Idle, Kind: Int,
		Default: "1", Min: 0, Max: 1024,
		Help:    "Threads of each of Gunicorn's dirty workers",
		Instead: noDirty,
		Since:   "0.1.0",
	},
	{
		Name: "dirty_graceful_timeout", Flag: "dirty-graceful-timeout", Metavar: "SECONDS", Group: Idle, Kind: Seconds,
		Default: "30", Min: 0, Max: maxSeconds,
		Help:    "Time to finish for Gunicorn's dirty workers",
		Instead: noDirty,
		Since:   "0.1.0",
	},
}

const noDirty = "run long tasks in a queue of tasks, such as Celery or RQ, as a service of its own"

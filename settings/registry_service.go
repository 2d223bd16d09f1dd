package settings

// serviceSettings are about the service as its operator sees it.
var serviceSettings = []Setting{
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

package settings

// serviceSettings are about the service as its operator sees it.
var serviceSettings = []Setting{
	{
		Name: "config", Flag: "config", Short: "c", Metavar: "FILE", Group: Service, Kind: String,
		DefaultHelp: "indrik.toml or gunicorn.conf.py, if one is in the current directory",
		Help:        "Read settings from this file: TOML if its name ends in .toml, else Python",
		Note: "`file:PATH` and `python:MODULE` are understood as by Gunicorn; `toml:PATH` is TOML whatever its name. If both standard files exist, one must be named. " +
			"`-PATH` may be missing, as in EnvironmentFile= of a unit; without it, it is as if no file were named.",
		Since: "0.1.0",
	},
	{
		Name: "check_config", Flag: "check-config", Group: Service, Kind: Bool,
		Default: "false",
		Help:    "Load configuration and application, say what is wrong, serve nothing",
		Note:    "The exit status is that of a service that could not start: 1 for the configuration, 3 or 4 for the application.",
		Since:   "0.1.0",
	},
	{
		Name: "print_config", Flag: "print-config", Group: Service, Kind: Bool,
		Default: "false",
		Help:    "Print every setting, its value and where that came from, and serve nothing",
		Note:    "As in Gunicorn, the application is loaded too.",
		Since:   "0.1.0",
	},
	{
		Name: "spew", Flag: "spew", Group: Service, Kind: Bool,
		Default: "false",
		Help:    "Print every line of Python that workers execute to standard output, to find out where one hangs",
		Note:    "The lines of Indrik's own modules are left out. Very slow.",
		Since:   "0.1.0",
	},
	{
		Name: "control_socket", Flag: "control-socket", Metavar: "PATH", Group: Service, Kind: String,
		DefaultHelp: "control in the unit's runtime directory",
		Help:        "Open the control socket at this path; empty for none",
		Note: "Without a unit it is `$XDG_RUNTIME_DIR/indrik/NAME.control`, where NAME is `proc_name` or else the master's process number, and there is none if that variable is not set. " +
			"`indrik status` and its kin are its clients, not gunicornc: [control.md](control.md).",
		Since: "0.1.0",
	},
	{
		Name: "control_socket_mode", Flag: "control-socket-mode", Metavar: "MODE", Group: Service, Kind: Int,
		Default: "0600", Min: 0, Max: 0o777, anyBase: true,
		Help:  "Rights on the control socket",
		Note:  "Whatever they are, only root and the user that the master runs as are answered.",
		Since: "0.1.0",
	},
	{
		Name: "control_socket_disable", Flag: "no-control-socket", Group: Service, Kind: Bool,
		Default: "false",
		Help:    "Open no control socket",
		Since:   "0.1.0",
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

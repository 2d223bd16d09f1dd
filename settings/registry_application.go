package settings

// applicationSettings are about the application and its interpreter.
var applicationSettings = []Setting{
	{
		Name: "wsgi_app", Flag: "wsgi-app", Metavar: "MODULE:APP", Group: Application, Kind: String,
		DefaultHelp: "the application named after the options",
		Help:        "Serve this application if none is named after the options",
		Note:        "In Gunicorn it can be set in the configuration file only.",
		Since:       "0.1.0",
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
		DefaultHelp: "that of the virtual environment indrik is installed in, else of the active one, else python3",
		Help:        "Run the application with this Python, 3.9 or newer",
		Note:        "Gunicorn has no such setting: it runs in the Python that started it.",
		Since:       "0.1.0",
	},
	{
		Name: "interface", Flag: "interface", Metavar: "KIND", Group: Application, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "wsgi", "asgi"},
		Help:  "Take the application for WSGI or ASGI; auto looks at it",
		Note:  "It counts where `worker_class` is `auto`. Gunicorn has no such setting.",
		Since: "0.1.0",
	},
	{
		Name: "asgi_loop", Flag: "asgi-loop", Metavar: "LOOP", Group: Application, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "asyncio", "uvloop"},
		Help:  "Run asgi workers on this event loop; auto is uvloop if it is installed",
		Since: "0.1.0",
	},
	{
		Name: "asgi_lifespan", Flag: "asgi-lifespan", Metavar: "WHEN", Group: Application, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "on", "off"},
		Help:  "Tell an ASGI application of its startup and shutdown; auto lets it decline",
		Since: "0.1.0",
	},
	{
		Name: "asgi_disconnect_grace_period", Flag: "asgi-disconnect-grace-period", Metavar: "SECONDS", Group: Application, Kind: Seconds,
		Default: "3", Min: 0, Max: maxSeconds,
		Help:  "Cancel the task of an ASGI request this long after its client left; 0 at once",
		Note:  "The application hears `http.disconnect` before. A client that has only closed its sending side counts as gone, as in Gunicorn. WebSocket conversations are not cancelled: there `receive` says it.",
		Since: "0.1.0",
	},
	{
		Name: "root_path", Flag: "root-path", Metavar: "PATH", Group: Application, Kind: String,
		DefaultHelp: "none",
		Help:        "Tell an ASGI application that it is mounted below this path",
		Since:       "0.1.0",
	},
}

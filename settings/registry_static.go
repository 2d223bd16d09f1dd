package settings

// staticSettings are about files that are served without a worker.
var staticSettings = []Setting{
	{
		Name: "static", Flag: "static", Metavar: "/PREFIX=DIR", Group: Files, Kind: List,
		Help:  "Serve the files of this directory below this prefix, without a worker; may be repeated",
		Note:  "The longest prefix that fits counts. See [static.md](static.md). Gunicorn serves no files.",
		Since: "0.1.0",
	},
	{
		Name: "static_fallthrough", Flag: "static-fallthrough", Group: Files, Kind: Bool,
		Default: "false",
		Help:    "Let the application answer for files that are not there",
		Note:    "Without it they are 404. It is needed for a directory at `/`.",
		Since:   "0.1.0",
	},
	{
		Name: "static_max_age", Flag: "static-max-age", Metavar: "SECONDS", Group: Files, Kind: Seconds,
		Default: "60", Min: 0, Max: maxSeconds,
		Help:  "Let clients use their copy of a file for this long without asking; 0 makes them ask each time",
		Note:  "WhiteNoise's default.",
		Since: "0.1.0",
	},
	{
		Name: "static_immutable", Flag: "static-immutable", Metavar: "REGEXP", Group: Files, Kind: String,
		DefaultHelp: "names with a digest, like app.55e7cbb9ba48.js",
		Help:        "Let clients keep files whose path below the prefix this matches for ever",
		Note:        "In Go's syntax, and the path begins with a slash: `^/assets/` for what Vite builds.",
		Since:       "0.1.0",
	},
	{
		Name: "static_dotfiles", Flag: "static-dotfiles", Group: Files, Kind: Bool,
		Default: "false",
		Help:    "Serve files and directories whose names begin with a dot too",
		Note:    "`/.well-known/` below a prefix is served always.",
		Since:   "0.1.0",
	},
}

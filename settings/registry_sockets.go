package settings

// socketSettings are about the sockets that are listened on.
var socketSettings = []Setting{
	{
		Name: "bind", Flag: "bind", Short: "b", Metavar: "ADDRESS", Group: Sockets, Kind: List,
		Default: "127.0.0.1:8000", DefaultHelp: "127.0.0.1:8000 if systemd passes no socket",
		Env: "PORT", fromEnv: portToBind, check: notEmpty("an address like 127.0.0.1:8000 or unix:/run/app.sock"),
		Help:  "Listen on HOST:PORT, [V6]:PORT, unix:PATH or fd://N; may be repeated",
		Note:  "Sockets passed by systemd and those named here are all served. Gunicorn ignores `--bind` silently when it is socket-activated. `PORT` stands for `0.0.0.0:$PORT`.",
		Since: "0.1.0",
	},
	{
		Name: "admin_bind", Flag: "admin-bind", Metavar: "ADDRESS", Group: Sockets, Kind: String,
		DefaultHelp: "none",
		Help:        "Answer probes (/livez, /readyz), Prometheus (/metrics) and browsers (/status) on this address, written as for --bind",
		Note:        "Who can connect can read, and nothing else. A socket that systemd passes under the name `admin` is used in its place. See docs/metrics.md.",
		Since:       "0.1.0",
	},
	{
		Name: "backlog", Flag: "backlog", Metavar: "N", Group: Sockets, Kind: Int,
		Default: "2048", Min: 1, Max: 1 << 20,
		Help:  "Let this many connections wait in the kernel for each bound socket",
		Note:  "The kernel caps it at net.core.somaxconn. It does not touch sockets passed by systemd: their unit's `Backlog=` stays in force, where Gunicorn overrides it.",
		Since: "0.1.0",
	},
}

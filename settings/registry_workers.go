package settings

import (
	"errors"
	"path"
	"strings"
)

// Auto is what Workers returns for "auto": nobody has chosen a number.
const Auto = 0

// workerSettings are about the processes that answer requests.
var workerSettings = []Setting{
	{
		Name: "workers", Flag: "workers", Short: "w", Metavar: "N", Group: Workers, Kind: Int,
		Default: "1", Env: "WEB_CONCURRENCY", Min: 1, Max: 1024, words: map[string]int{"auto": Auto},
		Help:  "Keep this many worker processes alive, or auto for a number that fits the processors",
		Note:  "`auto` counts the processors that the service may use, limits of containers and units among them: with n of them 2n+1 `sync` workers, and n of any other kind, which take many requests each, but two at least ([scale.md](scale.md)). An empty `WEB_CONCURRENCY` counts as unset.",
		Since: "0.1.0",
	},
	{
		Name: "worker_class", Flag: "worker-class", Short: "k", Metavar: "CLASS", Group: Workers, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "sync", "gthread", "gevent", "eventlet", "asgi"},
		aliases: classAliases, check: checkClass,
		Help:  "Run requests in workers of this class",
		Note:  "`auto` is `asgi` for an ASGI application, and for a WSGI application `sync`, or `gthread` if `threads` is more than 1; Gunicorn's default is `sync`. `sync` with more than one thread is `gthread`. Gunicorn's longer names are understood (`gunicorn.workers.ggevent.GeventWorker`, `egg:gunicorn#gevent`, `gevent_pywsgi` …), and `uvicorn.workers.UvicornWorker`, `uvicorn_worker.UvicornWorker` and their H11 kin mean `asgi`. Classes of one's own are not supported.",
		Since: "0.1.0",
	},
	{
		Name: "threads", Flag: "threads", Metavar: "N", Group: Workers, Kind: Int,
		Default: "1", Min: 1, Max: 1024,
		Help:  "Let each gthread worker answer this many requests at a time",
		Note:  "`auto` and `sync` workers become `gthread` with more than one. Other classes ignore it.",
		Since: "0.1.0",
	},
	{
		Name: "worker_connections", Flag: "worker-connections", Metavar: "N", Group: Workers, Kind: Int,
		Default: "1000", Min: 1, Max: 1 << 16,
		Help:  "Let each gevent, eventlet or asgi worker hold this many requests at a time",
		Note:  "The next ones wait in the gateway's queue. A WebSocket counts as a request while it is open. Gunicorn counts connections, which workers here do not hold, and does not enforce it for asgi.",
		Since: "0.1.0",
	},
	{
		Name: "max_requests", Flag: "max-requests", Metavar: "N", Group: Workers, Kind: Int,
		Default: "0", DefaultHelp: "0, no limit", Min: 0, Max: 1 << 40,
		Help:  "Replace a worker after it has taken this many requests",
		Note:  "Its successor is ready first, and it goes on to take requests until then, so it may take some more than that.",
		Since: "0.1.0",
	},
	{
		Name: "max_requests_jitter", Flag: "max-requests-jitter", Metavar: "N", Group: Workers, Kind: Int,
		Default: "0", Min: 0, Max: 1 << 40,
		Help:  "Add a random number up to this to each worker's max_requests",
		Since: "0.1.0",
	},
	{
		Name: "timeout", Flag: "timeout", Short: "t", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "30", Min: 0, Max: maxSeconds,
		Help:  "Kill a worker that is silent, or a sync worker that holds one request, longer than this; 0 for no limit",
		Note:  "A gthread worker is silent when its main thread cannot run, a gevent, eventlet or asgi worker when its event loop stands still; how long one of their requests takes does not matter, as with Gunicorn.",
		Since: "0.1.0",
	},
	{
		Name: "graceful_timeout", Flag: "graceful-timeout", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "30", Min: 0, Max: maxSeconds,
		Help:  "Give requests in flight this long to finish when a worker or the service stops",
		Since: "0.1.0",
	},
	{
		Name: "shutdown_delay", Flag: "shutdown-delay", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "0", Min: 0, Max: maxSeconds,
		Help:  "On SIGTERM go on serving this long, not ready, before the stop: time for a load balancer to notice",
		Since: "0.1.0",
	},
	{
		Name: "boot_timeout", Flag: "boot-timeout", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "60", Min: 1, Max: maxSeconds,
		Help:  "Kill a worker that is not ready this long after it was forked; a start or a reload then fails",
		Since: "0.1.0",
	},
	{
		Name: "boot_concurrency", Flag: "boot-concurrency", Metavar: "N", Group: Workers, Kind: Int,
		Default: "0", DefaultHelp: "0, twice the number of processors, at least 4", Min: 0, Max: 1024,
		Help:  "Let so many workers boot at the same time",
		Since: "0.1.0",
	},
	{
		Name: "boot_nice", Flag: "boot-nice", Metavar: "N", Group: Workers, Kind: Int,
		Default: "10", Min: 0, Max: 19,
		Help:  "Let a new generation boot at a priority so much lower than that of the one that serves; 0: at the same",
		Note:  "Until its workers are ready, for a quarter of `boot_timeout` at most. It needs the right to give the priority back: CAP_SYS_NICE, or `LimitNICE=+0` as in the unit; without it nothing is lowered. See reload.md.",
		Since: "0.1.0",
	},
	{
		Name: "scheduling", Flag: "scheduling", Metavar: "HOW", Group: Workers, Kind: Choice,
		Default: "batch", Choices: []string{"batch", "inherit"},
		Help:  "Schedule gateway and workers so that one that is woken takes no processor from another; inherit: as the service is",
		Note:  "`batch` is SCHED_BATCH of sched(7), which needs no rights. On a busy machine the gateway then sends all that it has before a worker runs, and a worker goes on while the gateway's work gathers: a fifth to a third more requests. Whoever is woken where all processors are busy may wait for the end of a time slice, some milliseconds, that it would else have cut short; so while a reload is under way all that serve have the usual policy, and do not wait for those who boot. A unit's `CPUSchedulingPolicy=` is left as it is. Programs that the application starts inherit it.",
		Since: "0.1.0",
	},
	{
		Name: "ready_workers", Flag: "ready-workers", Metavar: "N", Group: Workers, Kind: Int,
		Default: "0", DefaultHelp: "0, all", Min: 0, Max: 1024,
		Help:  "At a reload, let the new workers take over when so many of them are ready",
		Since: "0.1.0",
	},
	{
		Name: "keep_previous", Flag: "keep-previous", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "0", DefaultHelp: "0, do not", Min: 0, Max: maxSeconds,
		Help:  "After a reload, keep the workers of the generation before for so long, for `indrik rollback`",
		Note:  "Their memory stays taken meanwhile. See reload.md.",
		Since: "0.1.0",
	},
	{
		Name: "preload_app", Flag: "preload", Group: Workers, Kind: Bool,
		Default: "false",
		Help:    "Load the application once, before workers are forked, and share its memory",
		Note:    "It counts for nothing with `reload`.",
		Since:   "0.1.0",
	},
	{
		Name: "reload", Flag: "reload", Group: Workers, Kind: Bool,
		Default: "false",
		Help:    "Replace the workers when a file of the application changes, for development",
		Since:   "0.1.0",
	},
	{
		Name: "reload_engine", Flag: "reload-engine", Metavar: "ENGINE", Group: Workers, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "poll", "inotify"},
		Help:    "How Gunicorn's reload finds changes",
		Instead: "reload looks at the times of the files, four times a second",
		Since:   "0.1.0",
	},
	{
		Name: "reload_extra_files", Flag: "reload-extra-file", Metavar: "FILE", Group: Workers, Kind: List,
		check: notEmpty("the path of a file"),
		Help:  "Replace the workers also when this file changes; may be repeated",
		Since: "0.1.0",
	},
	{
		Name: "user", Flag: "user", Short: "u", Metavar: "USER", Group: Workers, Kind: String,
		DefaultHelp: "the user who starts the service",
		Help:        "Run workers as this user, a name or a number",
		Note:        "Master, gateway and mold keep theirs. In a unit of systemd `User=` is better: then nothing of the service has more rights than it needs.",
		Since:       "0.1.0",
	},
	{
		Name: "group", Flag: "group", Short: "g", Metavar: "GROUP", Group: Workers, Kind: String,
		DefaultHelp: "the group of who starts the service",
		Help:        "Run workers as this group, a name or a number",
		Since:       "0.1.0",
	},
	{
		Name: "umask", Flag: "umask", Short: "m", Metavar: "MASK", Group: Workers, Kind: Int,
		Default: "0", DefaultHelp: "0 for Unix sockets, the inherited one for workers", Min: 0, Max: 0o777, anyBase: true,
		Help:  "Take these rights from bound Unix sockets and from files that workers create",
		Note:  "Octal with a leading 0, as in `022`. Gunicorn applies it to its own files only, so workers have the inherited mask until this is given.",
		Since: "0.1.0",
	},
	{
		Name: "initgroups", Flag: "initgroups", Group: Workers, Kind: Bool,
		Default: "false",
		Help:    "Give workers the supplementary groups of user",
		Since:   "0.1.0",
	},
}

// classAliases are the names by which the users of Gunicorn and Uvicorn know our
// worker classes, in lower case.
var classAliases = map[string]string{
	"gunicorn.workers.sync.syncworker":            "sync",
	"egg:gunicorn#sync":                           "sync",
	"gunicorn.workers.gthread.threadworker":       "gthread",
	"egg:gunicorn#gthread":                        "gthread",
	"gevent_wsgi":                                 "gevent",
	"gevent_pywsgi":                               "gevent",
	"gunicorn.workers.ggevent.geventworker":       "gevent",
	"gunicorn.workers.ggevent.geventpywsgiworker": "gevent",
	"egg:gunicorn#gevent":                         "gevent",
	"egg:gunicorn#gevent_wsgi":                    "gevent",
	"egg:gunicorn#gevent_pywsgi":                  "gevent",
	"gunicorn.workers.geventlet.eventletworker":   "eventlet",
	"egg:gunicorn#eventlet":                       "eventlet",
	"gunicorn.workers.gasgi.asgiworker":           "asgi",
	"egg:gunicorn#asgi":                           "asgi",
	"uvicorn.workers.uvicornworker":               "asgi",
	"uvicorn.workers.uvicornh11worker":            "asgi",
	"uvicorn_worker.uvicornworker":                "asgi",
	"uvicorn_worker.uvicornh11worker":             "asgi",
}

// checkClass says what to do instead to those whose class there is none of.
func checkClass(text string) error {
	name := strings.ToLower(text)
	switch {
	case name == "tornado", strings.HasSuffix(name, "#tornado"), strings.HasSuffix(name, "tornadoworker"):
		return errors.New("the server of Tornado itself is not supported; run a WSGI application with gthread or gevent, and Tornado handlers as a program of their own")
	case path.Ext(name) != "" && classAliases[name] == "":
		return errors.New("worker classes of one's own are not supported; use auto, sync, gthread, gevent, eventlet or asgi")
	}
	return nil
}

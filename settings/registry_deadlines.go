package settings

// deadlineSettings bound what one request, and one worker, may take.
var deadlineSettings = []Setting{
	{
		Name: "request_timeout", Flag: "request-timeout", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "0", DefaultHelp: "0, no limit", Min: 0, Max: maxSeconds,
		Help: "End a request that takes longer than this, in workers of every class, with 504",
		Note: "From when a worker took it to the end of its response; a WebSocket has no limit. The stack goes to the log, then `indrik.RequestTimeout` (no `Exception`) is raised in the request, " +
			"or its asyncio task is cancelled. `timeout` is Gunicorn's: for all but sync workers it does not bound a request. See docs/workers.md.",
		Since: "0.1.0",
	},
	{
		Name: "request_timeout_grace", Flag: "request-timeout-grace", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "5", Min: 0, Max: maxSeconds,
		Help:  "Kill the worker of a request that has not ended so long after its request_timeout",
		Note:  "The other requests of that worker get a 502, or a 504 if the class is gevent, eventlet or asgi.",
		Since: "0.1.0",
	},
	{
		Name: "slow_request", Flag: "slow-request", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "0", DefaultHelp: "0, never", Min: 0, Max: maxSeconds,
		Help:  "Write the stack of a request that takes longer than this to the log, once",
		Note:  "Ten of a worker in 10 s at most. Nothing else happens to the request.",
		Since: "0.1.0",
	},
	{
		Name: "max_worker_age", Flag: "max-worker-age", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "0", DefaultHelp: "0, no limit", Min: 0, Max: maxSeconds,
		Help:  "Replace a worker that has been ready for this long; its successor is ready first",
		Since: "0.1.0",
	},
	{
		Name: "max_worker_age_jitter", Flag: "max-worker-age-jitter", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "0", Min: 0, Max: maxSeconds,
		Help:  "Add a random time up to this to each worker's max_worker_age",
		Since: "0.1.0",
	},
	{
		Name: "max_worker_memory", Flag: "max-worker-memory", Metavar: "BYTES", Group: Workers, Kind: Bytes,
		Default: "0", DefaultHelp: "0, no limit", Min: 0, Max: 1 << 50,
		Help:  "Replace a worker that has more memory than this; its successor is ready first",
		Note:  "Memory is PSS: what it shares with others counts as its share of it. Where the kernel does not show that (another user's process without the right to look), it is what is its own (RssAnon). For a limit that holds against every haste, there is `MemoryMax=` in the unit.",
		Since: "0.1.0",
	},
	{
		Name: "worker_memory_interval", Flag: "worker-memory-interval", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "10", Min: 1, Max: maxSeconds,
		Help:  "Look at the memory of the workers this often",
		Note:  "Only with max_worker_memory. A look takes some milliseconds for each GiB of a worker.",
		Since: "0.1.0",
	},
}

package settings

// workerSettings are about the processes that answer requests.
var workerSettings = []Setting{
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
}

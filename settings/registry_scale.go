package settings

// scaleSettings are about how many workers there are, and whether there is a service
// at all.
var scaleSettings = []Setting{
	{
		Name: "min_workers", Flag: "min-workers", Metavar: "N", Group: Workers, Kind: Int,
		Default: "0", DefaultHelp: "0, as many as workers", Min: 0, Max: 1024,
		Help:  "Do not go below this many workers when the service is idle",
		Note:  "With this or `max_workers` the number of workers follows the load ([scale.md](scale.md)).",
		Since: "0.1.0",
	},
	{
		Name: "max_workers", Flag: "max-workers", Metavar: "N", Group: Workers, Kind: Int,
		Default: "0", DefaultHelp: "0, as many as workers", Min: 0, Max: 1024,
		Help:  "Add workers up to this many when requests wait",
		Since: "0.1.0",
	},
	{
		Name: "scale_up_wait", Flag: "scale-up-wait", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "0.1", Min: 0, Max: maxSeconds,
		Help:  "Add workers when for a second some request has been waiting for longer than this",
		Since: "0.1.0",
	},
	{
		Name: "scale_up_pressure", Flag: "scale-up-pressure", Metavar: "PERCENT", Group: Workers, Kind: Int,
		Default: "60", Min: 1, Max: 101,
		Help:  "Add no workers while processes wait for a processor this much of the time; 101 for no such limit",
		Note:  "The kernel's measure (PSI, `some avg10`), of the unit's control group if it is delegated, else of the whole machine. Without it there is no such limit.",
		Since: "0.1.0",
	},
	{
		Name: "scale_down_idle", Flag: "scale-down-idle", Metavar: "SECONDS", Group: Workers, Kind: Seconds,
		Default: "60", Min: 1, Max: maxSeconds,
		Help:  "Take one worker away when for this long fewer than half of the others would have been enough",
		Since: "0.1.0",
	},
	{
		Name: "worker_memory_high", Flag: "worker-memory-high", Metavar: "BYTES", Group: Workers, Kind: Bytes,
		Default: "0", DefaultHelp: "0, no limit", Min: 0, Max: 1 << 50,
		Help:  "Let the kernel slow a worker down and take memory back from it above this",
		Note:  "`memory.high` of the worker's control group; children of the worker count too. It takes a delegated control group with the memory controller, as the unit has; elsewhere the log says that it counts for nothing.",
		Since: "0.1.0",
	},
	{
		Name: "control_groups", Flag: "control-groups", Metavar: "WHEN", Group: Service, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "on", "off"},
		Help:  "Give each process a control group of its own",
		Note:  "`auto`: if systemd has marked the unit's group as delegated (`Delegate=`). `on`: without a mark, which a user's own manager does not leave before systemd 254; the unit for users says so. What a worker leaves behind when it ends is killed after a second then; `off` keeps it ([systemd.md](systemd.md)).",
		Since: "0.1.0",
	},
	{
		Name: "idle_exit", Flag: "idle-exit", Metavar: "SECONDS", Group: Service, Kind: Seconds,
		Default: "0", DefaultHelp: "0, never", Min: 0, Max: maxSeconds,
		Help:  "Exit when there was no connection and no request for this long; the next connection starts the service again",
		Note:  "Only with sockets of systemd, which stay open; beside an address of `bind` it is refused. It counts for nothing with `Restart=always`, which would start the service at once.",
		Since: "0.1.0",
	},
}

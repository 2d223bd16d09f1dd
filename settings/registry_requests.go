package settings

// requestSettings are about what applications are told of a request beside what
// the client sent.
var requestSettings = []Setting{
	{
		Name: "request_id", Flag: "request-id", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Give every request an id, in X-Request-ID to the application and in the response",
		Note:    "One that a peer in `forwarded_allow_ips` gave is kept if it is at most 128 letters, digits and `-_.:/+=~@`. Error responses of Indrik itself, and the log lines about them, have an id always.",
		Since:   "0.1.0",
	},
	{
		Name: "request_id_header", Flag: "request-id-header", Metavar: "NAME", Group: Gateway, Kind: String,
		Default: "X-Request-ID", check: notEmpty("a field name like X-Request-ID"),
		Help:  "Use this header field for request ids",
		Since: "0.1.0",
	},
	{
		Name: "request_start", Flag: "request-start", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Tell the application in X-Request-Start when its request arrived, as t=SECONDS.MILLIS",
		Note:    "Monitoring agents (New Relic, Scout, Datadog) make the time in the queue of it. What a peer in `forwarded_allow_ips` says in that field is kept: seconds, milliseconds or microseconds, with or without `t=`; what others say is replaced.",
		Since:   "0.1.0",
	},
}

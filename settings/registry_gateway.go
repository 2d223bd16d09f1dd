package settings

// maxThreads is 62 because the orders to fork a worker and to join one carry a
// reply socket for each gateway thread and two more, and 64 descriptors go with a
// message by docs/protocol.md; the loop's six bits of a request id allow as many.
const maxThreads = 62

// gatewaySettings are about clients, their bodies and the queue.
var gatewaySettings = []Setting{
	{
		Name: "keepalive", Flag: "keep-alive", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "60", Min: 0, Max: maxSeconds,
		Help:  "Keep an idle connection open this long for its next request; 0 closes after each response",
		Note:  "Gunicorn's default is 2, because there an idle connection occupies part of a worker. Here the gateway holds it at the cost of a few kilobytes and no worker, and a client that comes back is spared a handshake.",
		Since: "0.1.0",
	},
	{
		Name: "client_timeout", Flag: "client-timeout", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "60", Min: 1, Max: maxSeconds,
		Help:  "Close a connection that moves no byte of a begun request or response for this long",
		Note:  "A request head must be complete within this time, however its bytes trickle in. Gunicorn has no such limit.",
		Since: "0.1.0",
	},
	{
		Name: "max_connections", Flag: "max-connections", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "0", DefaultHelp: "0, what the limit of open files allows", Min: 0, Max: 1 << 20,
		Help:  "Hold at most this many client connections; others wait in the accept queue",
		Note:  "Gunicorn's `worker_connections` bounds what one worker holds. Here workers hold none.",
		Since: "0.1.0",
	},
	{
		Name: "queue_size", Flag: "queue-size", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "2048", Min: 1, Max: 1 << 20,
		Help:  "Let this many requests wait for a worker; past it clients get 503",
		Note:  "The 503 carries Retry-After. Gunicorn has no such limit but the kernel's accept queue.",
		Since: "0.1.0",
	},
	{
		Name: "queue_timeout", Flag: "queue-timeout", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "60", Min: 1, Max: maxSeconds,
		Help:  "Answer 503 to a request that has waited this long for a worker",
		Note:  "The 503 carries Retry-After. The time in a worker's hands is `timeout`'s business.",
		Since: "0.1.0",
	},
	{
		Name: "limit_request_body", Flag: "limit-request-body", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "0", DefaultHelp: "0, no limit", Min: 0, Max: 1 << 50,
		Help:  "Refuse a larger request body with 413",
		Note:  "Gunicorn has no such setting; the name is that of Apache's `LimitRequestBody`.",
		Since: "0.1.0",
	},
	{
		Name: "min_body_rate", Flag: "min-body-rate", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "240", Min: 0, Max: 1 << 30,
		Help:  "Drop a client that sends its body, or takes its response, slower than this many bytes in a second; 0 for no such limit",
		Note:  "The average counts, after a grace of 5 seconds, over the time in which the client is what is waited for. A slow body gets 408, a slow reader is cut off. Kestrel has the same limit. Readers over TLS, HTTP/2 and Unix sockets are held to `client_timeout` alone. Gunicorn has no such setting.",
		Since: "0.1.0",
	},
	{
		Name: "request_buffering", Flag: "request-buffering", Metavar: "WHEN", Group: Gateway, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "on", "off"},
		Help:  "Give workers a request when its body is complete (on), or let them read it as it arrives (off); auto: on for WSGI, off for ASGI",
		Note:  "On, a slow upload occupies no worker. Off, the application can answer before it has the body, `Expect: 100-continue` is answered when it first reads, and a request with `Transfer-Encoding: chunked` has no CONTENT_LENGTH. Bodies of up to 64 KiB that arrive within a quarter of a second travel whole in any case. Gunicorn never buffers.",
		Since: "0.1.0",
	},
	{
		Name: "tmp_upload_dir", Flag: "tmp-upload-dir", Metavar: "DIR", Group: Gateway, Kind: String,
		DefaultHelp: "TMPDIR, or /tmp",
		Help:        "Keep request bodies of more than 1 MiB here, as files without a name, until their request ends",
		Note:        "Gunicorn accepts this setting and does not use it.",
		Since:       "0.1.0",
	},
	{
		Name: "spool_limit", Flag: "spool-limit", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "0", DefaultHelp: "0, half of what is free there at the start, or later if that is more", Min: 0, Max: 1 << 50,
		Help:  "Keep at most this much in tmp_upload_dir, of all requests and responses together; past it a large body gets 503",
		Note:  "The 503 carries Retry-After; a full disk is a 507. Other requests are not concerned. A streamed response that finds no room goes out at its client's pace. Gunicorn has no such setting.",
		Since: "0.1.0",
	},
	{
		Name: "response_memory", Flag: "response-memory", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "268435456", DefaultHelp: "268435456, 256 MiB", Min: 0, Max: 1 << 50,
		Help:  "Keep finished responses of more than 112 KiB in memory up to this many bytes together",
		Note:  "A worker gives such a response away whole and is free. What is over the limit is moved to a file in `tmp_upload_dir` until its client has taken it; past `spool_limit` the client gets 503. Gunicorn's workers wait for their clients instead.",
		Since: "0.1.0",
	},
	{
		Name: "response_buffering", Flag: "response-buffering", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "16MiB", Min: 0, Max: 1 << 50,
		Help:  "Hold up to this much of a streamed response for a slow client, so that its worker is free",
		Note:  "Up to 256 KiB in memory, the rest in tmp_upload_dir. What is beyond waits in the worker, which goes on at the client's pace. Responses that are not streamed are always taken from the worker whole. Gunicorn has no such setting.",
		Since: "0.1.0",
	},
	{
		Name: "sendfile", Flag: "no-sendfile", Negated: true, Group: Gateway, Kind: Bool,
		Default: "true", Env: "SENDFILE", fromEnv: sendfileFromEnv,
		Help:  "Do not send files with sendfile(2); for file systems on which it does not work",
		Note:  "In a file, `sendfile = false` does the same. In Gunicorn every value in a file turns it off, `True` too. Over TLS and HTTP/2 it is never used.",
		Since: "0.1.0",
	},
	{
		Name: "gateway_threads", Flag: "gateway-threads", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "0", DefaultHelp: "0, as many as the processors suggest", Min: 0, Max: maxThreads,
		Help:  "Serve clients with this many event loops in the gateway; 0 chooses",
		Note:  "Gunicorn has no such setting.",
		Since: "0.1.0",
	},
}

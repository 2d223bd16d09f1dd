package settings

import "time"

// webSocketSettings are about conversations with ASGI applications. Their names
// are uvicorn's; Gunicorn has one of them, by another name.
var webSocketSettings = []Setting{
	{
		Name: "ws_max_size", Flag: "ws-max-size", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "16777216", DefaultHelp: "16 MiB", Min: 1, Max: 1 << 40,
		Help:  "End a WebSocket with code 1009 when its client sends a larger message",
		Note:  "Counted after inflating. uvicorn has the same.",
		Since: "0.1.0",
	},
	{
		Name: "websocket_max_message_size", Flag: "websocket-max-message-size", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "0", DefaultHelp: "0, what ws_max_size says", Min: 0, Max: 1 << 40,
		Help:  "The same as ws_max_size, by the name that Gunicorn has",
		Note:  "If both are given, this one counts. Gunicorn's 0 means no limit; here there always is one, so 0 leaves it to `ws_max_size`.",
		Since: "0.1.0",
	},
	{
		Name: "ws_ping_interval", Flag: "ws-ping-interval", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "20", Min: 0, Max: maxSeconds,
		Help:  "Ping the client of a WebSocket this often; 0 for never",
		Note:  "uvicorn has the same.",
		Since: "0.1.0",
	},
	{
		Name: "ws_ping_timeout", Flag: "ws-ping-timeout", Metavar: "SECONDS", Group: Gateway, Kind: Seconds,
		Default: "20", Min: 0, Max: maxSeconds,
		Help:  "Give up a WebSocket whose client is silent for this long after a ping; 0 for no limit",
		Note:  "uvicorn has the same, but counts only the pong as a sign of life.",
		Since: "0.1.0",
	},
	{
		Name: "ws_per_message_deflate", Flag: "ws-per-message-deflate", Group: Gateway, Kind: Bool,
		Default: "true",
		Help:    "Compress WebSocket messages for clients that offer it",
		Note:    "Each message by itself, see [websocket.md](websocket.md). uvicorn has the same.",
		Since:   "0.1.0",
	},
}

// WSMaxSize returns the size in bytes of the largest message of a WebSocket's
// client.
func (v *Values) WSMaxSize() int {
	if size := v.WebsocketMaxMessageSize(); size > 0 {
		return size
	}
	return of[int](v, "ws_max_size")
}

// WebsocketMaxMessageSize returns what Gunicorn's name for it says, 0 for nothing;
// use [Values.WSMaxSize].
func (v *Values) WebsocketMaxMessageSize() int { return of[int](v, "websocket_max_message_size") }

// WSPingInterval returns the time between two pings; 0 for none.
func (v *Values) WSPingInterval() time.Duration { return of[time.Duration](v, "ws_ping_interval") }

// WSPingTimeout returns how long after a ping a client may be silent; 0 for no
// limit.
func (v *Values) WSPingTimeout() time.Duration { return of[time.Duration](v, "ws_ping_timeout") }

// WSPerMessageDeflate reports that messages may be compressed.
func (v *Values) WSPerMessageDeflate() bool { return of[bool](v, "ws_per_message_deflate") }

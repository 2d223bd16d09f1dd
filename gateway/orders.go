package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/statsd"
)

// Config is what a gateway is told once, at its start. Durations of zero take
// the defaults named at the fields. It travels as JSON, so that a field added
// later is no change of the protocol.
type Config struct {
	// Epoch tells this gateway's request ids from those of the gateways before
	// it; the master counts it up, modulo 256.
	Epoch uint8 `json:"epoch"`
	// Loops is how many epoll loops to run, 1 to 64. Workers have one reply
	// socket for each.
	Loops int `json:"loops"`
	// Multiprocess is what wsgi.multiprocess says: more than one worker is wanted.
	Multiprocess bool `json:"multiprocess"`
	// RootPath is where ASGI applications are told they are mounted.
	RootPath string `json:"root_path"`
	// Software is the value of SERVER_SOFTWARE, "indrik/1.2.3".
	Software string `json:"software"`
	// AccessLog is where a line per response goes: nowhere if empty, standard
	// output for "-", systemd's journal for "journal", else the path of a file,
	// opened for appending. AccessSyslog gets the lines too, if it is not nil.
	AccessLog    string  `json:"access_log"`
	AccessSyslog *Syslog `json:"access_syslog"`
	// AccessFormat is a text with Gunicorn's atoms, "combined", "json" or "short"
	// ("combined"); see package accesslog.
	AccessFormat string `json:"access_format"`
	// AccessBuffer bounds the lines in memory that were not written yet, in bytes
	// (4 MiB), for each place where they go. Past it lines are lost.
	AccessBuffer int `json:"access_buffer"`
	// JournalSocket is where the journal listens (systemd's place).
	JournalSocket string `json:"journal_socket"`
	// StatsD is where numbers go; nil for none.
	StatsD *StatsD `json:"statsd"`
	// Proxies says what servers in front are believed.
	Proxies Proxies `json:"proxies"`
	// KeepAlive is how long a connection may stay idle between two requests
	// (60 s). Negative: connections are closed after each response.
	KeepAlive time.Duration `json:"keep_alive"`
	// Patience is how long a client may leave a begun request head, a body or
	// a response without moving a byte of it (60 s).
	Patience time.Duration `json:"patience"`
	// LineLimit and FieldLimit bound the request line and one header field in
	// bytes, Fields the number of fields; 0 leaves each to the limit of the whole
	// head, 64 KiB. Past them clients get 414 or 431.
	LineLimit  int `json:"line_limit"`
	Fields     int `json:"fields"`
	FieldLimit int `json:"field_limit"`
	// HeadLimit bounds the whole head in bytes (64 KiB). Past it clients get 431.
	HeadLimit int `json:"head_limit"`
	// Permit is what of broken HTTP is let through.
	Permit Permissions `json:"permit"`
	// BodyLimit bounds a request's body in bytes; 0 for no limit. Past it clients
	// get 413.
	BodyLimit int64 `json:"body_limit"`
	// Connections is how many clients may be connected; 0 for no limit. Others
	// wait in the accept queue.
	Connections int `json:"connections"`
	// Queue is how many requests may wait for a worker (2048), shared out between
	// the loops. Past it clients get 503 with Retry-After.
	Queue int `json:"queue"`
	// QueueTimeout is how long a request may wait for a worker (60 s). Then its
	// client gets 503 with Retry-After.
	QueueTimeout time.Duration `json:"queue_timeout"`
	// RequestID gives every request an id, in the field RequestIDHeader
	// (X-Request-ID) of request and response; one that a trusted peer gave stays.
	RequestID       bool   `json:"request_id"`
	RequestIDHeader string `json:"request_id_header"`
	// RequestStart tells applications in X-Request-Start when a request arrived,
	// unless a trusted peer has said when.
	RequestStart bool `json:"request_start"`
	// Static is what is served from files, without a worker.
	Static Static `json:"static"`
	// MinBodyRate is how many bytes in a second a client must send of its body, and
	// take of its response, on average after a grace of 5 s; 0 for any.
	MinBodyRate int64 `json:"min_body_rate"`
	// RequestBuffering is "on" if workers get bodies when they are complete,
	// "off" if as they arrive, "auto" if that depends on the interface: on for
	// WSGI, off for ASGI ("auto").
	RequestBuffering string `json:"request_buffering"`
	// SpoolDir holds bodies too large for memory, as unlinked files ("": the
	// system's directory for temporary files).
	SpoolDir string `json:"spool_dir"`
	// SpoolLimit bounds what is in SpoolDir at a time, in bytes; 0 for half of
	// what is free there when the gateway starts. Past it a body gets 503 with
	// Retry-After.
	SpoolLimit int64 `json:"spool_limit"`
	// ResponseBuffering is how many bytes of a streamed response are held for a
	// slow client, so that its worker is free (16 MiB); the first 256 KiB in
	// memory, the rest in SpoolDir.
	ResponseBuffering int64 `json:"response_buffering"`
	// ResponseMemory is how many bytes of finished responses may be in memory for
	// their clients, all of them together (256 MiB); what is over goes into
	// SpoolDir.
	ResponseMemory int64 `json:"response_memory"`
	// CopyFiles sends files by reading and writing, and not with sendfile(2).
	CopyFiles bool `json:"copy_files"`
	// TLS is spoken on all listeners but those it excepts; nil for none.
	TLS *TLS `json:"tls"`
	// WebSocket is about conversations.
	WebSocket WebSocketConfig `json:"websocket"`
	// HTTP2 bounds HTTP/2, which is spoken where TLS.Protocols or
	// HTTP2.Cleartext say so.
	HTTP2 HTTP2 `json:"http2"`
}

// StatsD is a daemon for numbers; so named here, nobody above needs to know the
// package.
type StatsD = statsd.Config

// Permissions are the parser's; so named here, nobody above needs to know it.
type Permissions = http1.Permissions

// withDefaults fills in what was left zero and refuses what cannot be.
func (c Config) withDefaults() (Config, error) {
	if c.Loops < 1 || c.Loops > maxLoops {
		return c, fmt.Errorf("loops: %d is not in 1..%d", c.Loops, maxLoops)
	}
	setDefault(&c.KeepAlive, 60*time.Second)
	setDefault(&c.Patience, 60*time.Second)
	setDefault(&c.ResponseMemory, 256<<20)
	setDefault(&c.QueueTimeout, 60*time.Second)
	setDefault(&c.Queue, 2048)
	setDefault(&c.WebSocket.MaxSize, 16<<20)
	setDefault(&c.HTTP2.Streams, 100)
	setDefault(&c.HTTP2.Window, 1<<20)
	setDefault(&c.HTTP2.Frame, 16<<10)
	setDefault(&c.HTTP2.Head, 64<<10)
	setDefault(&c.ResponseBuffering, 16<<20)
	setDefault(&c.Software, "indrik")
	setDefault(&c.RequestIDHeader, usualIDField)
	setDefault(&c.AccessFormat, "combined")
	setDefault(&c.AccessBuffer, 4<<20)
	setDefault(&c.JournalSocket, logsink.JournalSocket)
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// ConfigureOrder is the first message to a gateway. The scoreboard's descriptor
// goes beside it.
func ConfigureOrder(c Config) (dispatch.Tuple, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the gateway's configuration: %w", err)
	}
	return dispatch.Tuple{"configure", text}, nil
}

// ListenOrder hands a listener over, its descriptor beside it. owned says
// that Indrik bound it: on a drain such a listener's accept queue is emptied
// first, because nobody else would answer those clients.
func ListenOrder(name string, owned bool) dispatch.Tuple {
	return dispatch.Tuple{"listen", name, owned}
}

// BoardOrder brings the scoreboard on which the workers of a generation write what
// their seats do, its descriptor beside it. It comes before the first of them joins.
func BoardOrder(generation int) dispatch.Tuple {
	return dispatch.Tuple{"board", int64(generation)}
}

// ForgetOrder says that the last worker of a generation has left and none will come,
// or that it is kept and holds nothing: its scoreboard is not needed any more.
func ForgetOrder(generation int) dispatch.Tuple {
	return dispatch.Tuple{"forget", int64(generation)}
}

// LaneOrder says where requests go from now on: to the workers of this
// generation, in the form of iface, "wsgi" or "asgi". seats is how many each
// of them takes at a time. Beside it go the gateway's end and the workers' end
// of the lane that they share, or nothing if each has its own. What no worker has
// taken from the shared lane of the generation before goes there too.
func LaneOrder(generation int, iface string, seats int) dispatch.Tuple {
	return dispatch.Tuple{"lane", int64(generation), iface, int64(seats)}
}

// JoinOrder says that a worker is ready; beside it go the gateway's ends of its
// reply sockets, one for each loop in their order, and then the gateway's end and
// the worker's end of its own lane if it has one.
func JoinOrder(slot, pid, generation int) dispatch.Tuple {
	return dispatch.Tuple{"join", int64(slot), int64(pid), int64(generation)}
}

// ReleaseOrder makes the gateway give a worker with a lane of its own nothing
// more and close its end of that lane.
func ReleaseOrder(slot, pid int) dispatch.Tuple {
	return dispatch.Tuple{"release", int64(slot), int64(pid)}
}

// CauseTimeout is the cause in a leave order that makes the clients' answer
// 504 and not 502.
const CauseTimeout = "timeout"

// LeaveOrder says that a worker was reaped, why, and which requests it held.
func LeaveOrder(slot, pid int, cause string, held []uint64) dispatch.Tuple {
	ids := make(dispatch.List, len(held))
	for i, id := range held {
		ids[i] = int64(id)
	}
	return dispatch.Tuple{"leave", int64(slot), int64(pid), cause, ids}
}

// ServeOrder lets the gateway begin to accept.
func ServeOrder() dispatch.Tuple { return dispatch.Tuple{"serve"} }

// ReopenOrder makes it open its log files anew, whose names may stand for others.
func ReopenOrder() dispatch.Tuple { return dispatch.Tuple{"reopen"} }

// DrainOrder makes it accept nothing new, finish what it holds and exit. idle, in
// whole milliseconds, is how long connections without a request may stay: where
// another gateway goes on, nobody waits for the end of this one. Given once more it
// shortens that, and conversations end at once.
func DrainOrder(idle time.Duration) dispatch.Tuple {
	return dispatch.Tuple{"drain", idle.Milliseconds(), int64(0)}
}

// HandOverOrder is a drain that passes connections to another gateway, which has the
// other end of the channel that goes beside the order (see ReceiveOrder). idle is for
// those that it does not take. Conversations may go on for talking.
func HandOverOrder(idle, talking time.Duration) dispatch.Tuple {
	return dispatch.Tuple{"drain", idle.Milliseconds(), talking.Milliseconds()}
}

// ReceiveOrder makes a gateway that serves take connections from another one, over
// the channel whose end goes beside the order.
func ReceiveOrder() dispatch.Tuple { return dispatch.Tuple{"receive"} }

// Facts a gateway tells the master: the first item of each message.
const (
	FactServing = "serving" // every loop accepts
	FactMoved   = "moved"   // nothing goes to the generation that follows any more, and its shared lane is empty
	FactDrained = "drained" // nothing is held any more; it exits
	FactHeld    = "held"    // workers of the generation that follows have as many requests as the number after it
	FactLeft    = "left"    // the answer to a leave order: see casualties
	FactProbed  = "probed"  // every loop has seen the probe with the number that follows
	FactFailed  = "failed"  // it cannot work; the text follows

	FactRequests = "requests" // what is in hand: see Inventory
)

// errOrder reports an order that this gateway does not understand. Master and
// gateway are the same binary, so it is a bug.
var errOrder = errors.New("malformed order")

// order gives typed access to the items of a received message. The first item
// that is not what the caller wants sets bad, so that a handler checks once.
type order struct {
	msg dispatch.Tuple
	bad bool
}

func (o *order) verb() string { return item[string](o, 0) }

func (o *order) number(i int) int { return int(item[int64](o, i)) }

func item[T any](o *order, i int) T {
	var zero T
	if i >= len(o.msg) {
		o.bad = true
		return zero
	}
	v, ok := o.msg[i].(T)
	if !ok {
		o.bad = true
	}
	return v
}

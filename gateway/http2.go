package gateway

import (
	"context"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// unsentHTTP2 is how many bytes for one client the kernel may hold that it has not
// sent yet.
const unsentHTTP2 = 128 << 10

// HTTP2 bounds what an HTTP/2 connection may take. Beyond these, net/http ends
// connections that open streams only to reset them, that flood with SETTINGS or
// PING, or whose header blocks do not end.
type HTTP2 struct {
	// Cleartext serves HTTP/2 on listeners without TLS too, to clients that begin
	// with its preface (RFC 9113 section 3.3, prior knowledge).
	Cleartext bool `json:"cleartext"`
	// Streams is how many requests of a connection may be open (100).
	Streams int `json:"streams"`
	// Window is how many bytes of a request's body a client may send ahead (1 MiB).
	Window int `json:"window"`
	// Frame is the largest frame that is read, in bytes (16 KiB).
	Frame int `json:"frame"`
	// Head bounds the fields of a request together, in bytes (64 KiB). Past it
	// clients get 431. What bounds lines and fields of HTTP/1.1 holds besides.
	Head int `json:"head"`
}

// server makes the server of one connection. One for each can be told to drain
// at a time of its own, and costs little beside a handshake.
func (c Config) server(handler http.Handler, log *log.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true) // it is never shown the TLS beneath
	idle := c.KeepAlive
	if idle <= 0 {
		idle = time.Second // a connection without a request is closed soon
	}
	return &http.Server{
		Handler: handler, ErrorLog: log, Protocols: &protocols,
		IdleTimeout: idle, MaxHeaderBytes: c.HTTP2.Head,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          c.HTTP2.Streams,
			MaxReadFrameSize:              c.HTTP2.Frame,
			MaxReceiveBufferPerStream:     c.HTTP2.Window,
			MaxReceiveBufferPerConnection: max(c.HTTP2.Window, 1<<20),
			SendPingTimeout:               c.Patience, // asks a silent client whether it lives
		},
	}
}

// liveHTTP2 serves HTTP/2 until the connection is closed. conn is the resident's
// socket, or TLS over it.
func (r *resident) liveHTTP2(conn net.Conn) {
	r.model.http2, r.model.tls = true, r.conn.tls
	r.sock.control(func(fd int) {
		// What lies in the kernel cannot be overtaken by another stream, and pings
		// that are answered to nobody would lie there in hundreds of thousands.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentHTTP2) // a Unix socket has none
	})
	polite := &graceful{Conn: newGathered(conn, r.gateway.config.Patience)}
	h := &streams{resident: r, conn: polite, first: make(chan struct{})}
	ln := &single{conn: polite, local: r.sock.local, taken: make(chan struct{}), gone: r.sock.gone}
	server := r.gateway.config.server(h, log.New(debugWriter{r.gateway.log}, "", 0))
	go func() { _ = server.Serve(ln) }() // ends with the connection, or by a drain
	<-ln.taken
	r.whenDraining(func() { go h.shutDown(server) })
	f := r.gateway.figures
	add(&f.HTTP2, 1)
	add(&f.Now.HTTP2, 1)
	<-r.sock.gone
	add(&f.Now.HTTP2, -1)
}

// shutDown tells the client that no new streams are taken (GOAWAY), lets the
// open ones finish, and then closes. A client that has asked for nothing yet
// is given a moment, as any other is.
func (h *streams) shutDown(server *http.Server) {
	if !h.drained.CompareAndSwap(false, true) {
		return
	}
	wait := time.NewTimer(time.Duration(firstRequestTime))
	defer wait.Stop()
	select {
	case <-h.first:
	case <-wait.C:
	case <-h.resident.sock.gone:
	}
	h.conn.announce()
	wait.Reset(goAwayWait)
	select {
	case <-wait.C:
	case <-h.resident.sock.gone:
	}
	// Repeated, because a connection that net/http has taken but does not serve yet
	// does not hear it the first time.
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		_ = server.Shutdown(ctx) // the time is over, or it is done
		select {
		case <-h.resident.sock.gone:
			cancel()
			return
		case <-ctx.Done():
			cancel()
		}
	}
}

// streams answers the requests of one connection, each in a goroutine of
// net/http's.
type streams struct {
	resident *resident
	conn     *graceful
	drained  atomic.Bool
	once     sync.Once
	first    chan struct{} // closed by the first request
}

// ServeHTTP serves a stream as an exchange of HTTP/1.1 over a transport that
// translates: so there is one code for parsing, limits, bodies, replies and
// streams. To the loop each stream is a client of its own.
func (h *streams) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h.once.Do(func() { close(h.first) })
	r := h.resident
	own := r.model
	t := newStream(w, q)
	defer t.close()
	x := &exchange{
		loop: r.loop, gateway: r.gateway, conn: &own, sock: t,
		patience: r.gateway.config.Patience, freed: make(chan struct{}), left: q.Context().Done(),
	}
	defer x.putAway()
	var err error
	if x.data, err = t.head(q, x.tools()); err != nil {
		x.refuse(err)
	} else {
		x.serveRequest()
	}
	if q.Context().Err() != nil && x.submitted {
		// A client that resets its streams as fast as it opens them must not have
		// more requests with the workers than it may have streams.
		<-x.freed
	}
	if !t.complete() {
		panic(http.ErrAbortHandler) // resets the stream: the client can tell
	}
}

// single is a listener with one connection.
type single struct {
	conn  net.Conn
	local net.Addr
	taken chan struct{} // closed when the server asks for the next
	gone  <-chan struct{}
	once  sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	if conn := s.conn; conn != nil {
		s.conn = nil
		return conn, nil
	}
	s.once.Do(func() { close(s.taken) })
	<-s.gone
	return nil, net.ErrClosed
}

func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return s.local }

// debugWriter takes what net/http logs of clients' mistakes.
type debugWriter struct{ log hclog.Logger }

func (d debugWriter) Write(p []byte) (int, error) {
	if d.log.IsDebug() {
		d.log.Debug("HTTP/2 connection complained", "text", hclog.Quote(strings.TrimSpace(string(p))))
	}
	return len(p), nil
}

// isPreface reports that data, which is no HTTP/1 request, begins a connection
// in HTTP/2 (RFC 9113 section 3.4).
func isPreface(data []byte) bool {
	return strings.HasPrefix(string(data[:min(len(data), len(prefaceLine))]), prefaceLine)
}

const prefaceLine = "PRI * HTTP/2.0\r\n"

// liveCleartext serves a client that began with the preface.
func (r *resident) liveCleartext() { r.liveHTTP2(r.sock) }

package gateway

import (
	"testing"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// bench is a loop that is driven by hand: one connection, one worker, and every
// byte of the express path but epoll and accept.
type bench struct {
	t        testing.TB
	loop     *loop
	conn     *conn
	client   int // the other end of the connection
	taker    int // the workers' end of the lane
	seat     int // the worker's end of its reply socket
	request  []byte
	received []byte
	reply    []byte
}

func newBench(t testing.TB) *bench { return newLaneBench(t, false, nil) }

// newLaneBench has a worker on a shared lane, or on one of its own, and notes
// requests in a ledger if there is one.
func newLaneBench(t testing.TB, own bool, k *ledger) *bench {
	board, err := dispatch.NewScoreboard(1, 1, 1)
	need(t, err)
	config, err := Config{Loops: 1, Epoch: 1}.withDefaults()
	need(t, err)
	counters, err := NewFigures(1)
	need(t, err)
	g := &gateway{config: config, log: hclog.NewNullLogger(), board: board, ledger: k, counters: counters}
	g.figures = figures(counters, 1)
	l, err := newLoop(g, 0)
	need(t, err)
	g.loops = []*loop{l}
	b := &bench{t: t, loop: l, received: make([]byte, dispatch.MaxMessage)}
	var lane, reply int
	lane, b.taker, err = dispatch.SocketPair()
	need(t, err)
	reply, b.seat, err = dispatch.SocketPair()
	need(t, err)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	need(t, err)
	b.client = pair[1]
	ln := testListener(config, "127.0.0.1", "8000")
	b.conn = &conn{trusted: true, fd: pair[0], listener: ln, client: []byte("127.0.0.1"), peer: peerItems([]byte("127.0.0.1"), []byte("4000"))}
	l.now = dispatch.Monotonic()
	l.adopt(b.conn)
	w := &worker{pid: 1, generation: 1, fd: reply}
	if ends := newEnds(lane, b.taker, 1); own {
		w.own = ends.lane(1, 0, w)
		l.useLane(course{generation: 1, seats: 100}, nil)
	} else {
		l.useLane(course{generation: 1, seats: 1, shared: true}, ends.lane(1, 1, nil))
	}
	l.join(w)
	b.request = []byte("GET /path?query=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n" +
		"Accept-Encoding: gzip, br\r\nCookie: session=0123456789abcdef\r\nX-Custom: made up\r\n\r\n")
	return b
}

// ask sends a request, and takes it from the lane as the worker does.
func (b *bench) ask() int64 {
	l := b.loop
	_, err := unix.Write(b.client, b.request)
	need(b.t, err)
	l.now = dispatch.Monotonic()
	l.read(b.conn)
	l.flush()
	n, err := readFD(b.taker, b.received)
	need(b.t, err)
	var rd dispatch.Reader
	rd.Reset(b.received[:n])
	_, err = rd.Tuple()
	need(b.t, err)
	id, err := rd.Int()
	need(b.t, err)
	return id
}

// answer is the worker's reply, which lies in its socket then.
func (b *bench) answer(id int64) {
	r := dispatch.AppendInt(dispatch.AppendTuple(b.reply[:0], 4), id)
	r = dispatch.AppendLatin1(r, "200 OK")
	r = dispatch.AppendTuple(dispatch.AppendList(r, 2), 2)
	r = dispatch.AppendLatin1(dispatch.AppendLatin1(r, "Content-Type"), "text/plain")
	r = dispatch.AppendTuple(r, 2)
	r = dispatch.AppendLatin1(dispatch.AppendLatin1(r, "Content-Length"), "14")
	b.reply = dispatch.AppendBytes(r, []byte("Hello, world!\n"))
	_, err := writeFD(b.seat, b.reply)
	need(b.t, err)
}

// turn has one request answered.
func (b *bench) turn() {
	b.answer(b.ask())
	l := b.loop
	l.replies(l.workers[1])
	l.sheet.flush()
	l.sheet.report()
	if b.conn.phase != reading {
		b.t.Fatalf("the connection is %v after its response", b.conn.phase)
	}
	if _, err := readFD(b.client, b.received); err != nil {
		b.t.Fatal(err)
	}
}

func need(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// Garbage on the hot path would be paid for in latency by everybody.
func TestTheExpressPathAllocatesNothing(t *testing.T) {
	for _, own := range []bool{false, true} {
		b := newLaneBench(t, own, nil)
		for range 10 {
			b.turn()
		}
		if n := testing.AllocsPerRun(500, b.turn); n > 0 {
			t.Errorf("%v allocations per request, own lane %v; want none", n, own)
		}
	}
}

// Neither does a form of middle size: what one of them needed the next one gets.
func TestBodiesOnTheExpressPathAllocateNothing(t *testing.T) {
	b := newBench(t)
	body := make([]byte, 10<<10)
	b.request = append([]byte("POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 10240\r\n\r\n"), body...)
	for range 10 {
		b.turn()
	}
	if n := testing.AllocsPerRun(500, b.turn); n > 0 {
		t.Errorf("%v allocations per request; want none", n)
	}
}

// BenchmarkExpress is one request through parser, environ, lane, reply and
// response, system calls included; the worker's part is a copy.
func BenchmarkExpress(b *testing.B) {
	for name, own := range map[string]bool{"shared": false, "own": true} {
		b.Run(name, func(b *testing.B) {
			rig := newLaneBench(b, own, nil)
			b.ReportAllocs()
			for b.Loop() {
				rig.turn()
			}
		})
	}
}

// BenchmarkEnviron is the marshalling of a browser-like request alone.
func BenchmarkEnviron(b *testing.B) {
	rig := newBench(b)
	var h http1.Head
	limits := http1.DefaultLimits()
	_, err := h.Parse(rig.request, &limits)
	need(b, err)
	var e environ
	var o origin
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		need(b, o.trace(rig.conn, &h, &rig.loop.gateway.forwarding))
		out = e.append(out[:0], rig.conn, &h, &o, 0)
	}
}

// testListener is a listener without a socket.
func testListener(c Config, host, port string) *listener {
	return &listener{
		host: []byte(host), port: []byte(port), scheme: "http",
		prefix: environPrefix(c), server: serverItems([]byte(host), []byte(port)),
	}
}

package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// rig is a gateway under test: the test is its master and its workers, over the
// real sockets of docs/protocol.md.
type rig struct {
	t        *testing.T
	master   *dispatch.Channel
	facts    chan dispatch.Tuple
	moved    chan int            // generations to which nothing goes any more
	left     chan dispatch.Tuple // what dead workers held
	board    *dispatch.Scoreboard
	counters *dispatch.Counters
	lane     [2]int // gateway's end, workers' end
	address  string // of the TCP listener

	generation int // of the last lane order
	ended      chan error
	log        *lockedBuffer
	lenient    bool // errors are what the test is about
}

// newRig starts a gateway that listens on a loopback port. It is drained at the
// end of the test, and its log must hold no error then.
func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	g := startRig(t, change)
	g.share(1)
	g.serve()
	return g
}

// share makes a lane for a generation of sync WSGI workers and sends requests
// there.
func (g *rig) share(generation int) {
	g.t.Helper()
	g.shareAs(generation, "wsgi", 1)
}

// shareAs does it for workers of another interface, or with more seats.
func (g *rig) shareAs(generation int, iface string, seats int) {
	g.t.Helper()
	var err error
	g.lane[0], g.lane[1], err = dispatch.SocketPair()
	check(g.t, err)
	check(g.t, unix.SetsockoptTimeval(g.lane[1], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}))
	check(g.t, g.master.Send(BoardOrder(generation), g.board.FD()))
	check(g.t, g.master.Send(LaneOrder(generation, iface, seats), g.lane[0], g.lane[1]))
	g.generation = generation
}

func (g *rig) serve() {
	g.t.Helper()
	check(g.t, g.master.Send(ServeOrder()))
	g.expect(FactServing)
}

// startRig starts a gateway that has no lane and does not accept yet.
func startRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	return startRigWith(t, Process{Stdout: os.Stdout}, change)
}

// startRigWith starts it with these parts of a process.
func startRigWith(t *testing.T, p Process, change func(*Config)) *rig {
	t.Helper()
	socket := listenTCP(t)
	defer socket.Close() // the gateway has its own
	return startRigOn(t, p, socket, change)
}

// startRigOn starts it on a listener, which stays the caller's.
func startRigOn(t *testing.T, p Process, socket *os.File, change func(*Config)) *rig {
	t.Helper()
	g := &rig{t: t, facts: make(chan dispatch.Tuple, 16), moved: make(chan int, 16), left: make(chan dispatch.Tuple, 64), ended: make(chan error, 1), log: &lockedBuffer{}}
	ours, theirs, err := dispatch.SocketPair()
	check(t, err)
	g.master, err = dispatch.NewChannel(ours, "gateway")
	check(t, err)
	go func() {
		for {
			msg, _, err := g.master.Receive()
			if err != nil {
				close(g.facts)
				return
			}
			switch msg[0] {
			case FactMoved:
				g.moved <- int(msg[1].(int64))
			case FactLeft:
				g.left <- msg
			default:
				g.facts <- msg
			}
		}
	}()
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: g.log})
	p.ChannelFD, p.Log = theirs, log
	go func() { g.ended <- Run(context.Background(), p) }()
	config := Config{Loops: 1, Epoch: 1, Multiprocess: true, SpoolDir: t.TempDir(), LineLimit: 4094, Fields: 100, FieldLimit: 8190}
	if change != nil {
		change(&config)
	}
	g.board, err = dispatch.NewScoreboard(config.Loops, 4, 1)
	check(t, err)
	order, err := ConfigureOrder(config)
	check(t, err)
	g.counters, err = NewFigures(config.Loops)
	check(t, err)
	check(t, g.master.Send(order, g.board.FD(), g.counters.FD()))
	fd := int(socket.Fd())
	sa, err := unix.Getsockname(fd)
	check(t, err)
	g.address = boundTo(sa)
	check(t, unix.SetNonblock(fd, true))
	check(t, g.master.Send(ListenOrder("http", true), fd))
	t.Cleanup(g.end)
	return g
}

// listenTCP makes a listener on a loopback port.
func listenTCP(t *testing.T) *os.File {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	check(t, err)
	return file
}

func (g *rig) expect(fact string) {
	g.t.Helper()
	select {
	case m := <-g.facts:
		if m == nil || m[0] != fact {
			g.t.Fatalf("the gateway said %v, want %q\n%s", m, fact, g.log)
		}
	case <-time.After(time.Minute): // on a machine that others keep busy
		g.t.Fatalf("the gateway did not say %q\n%s", fact, g.log)
	}
}

// end drains the gateway and ends the workers.
func (g *rig) end() {
	_ = g.master.Send(DrainOrder(0)) // a test may have drained it already
	select {
	case err := <-g.ended:
		if err != nil {
			g.t.Errorf("the gateway ended with %v", err)
		}
	case <-time.After(time.Minute): // on a machine that others keep busy
		g.t.Errorf("the gateway did not drain")
	}
	if g.lane[0] != 0 {
		_ = unix.Shutdown(g.lane[0], unix.SHUT_RDWR) // end of file for the workers
	}
	_ = g.master.Close()
	if said := g.log.String(); strings.Contains(said, "[ERROR]") && !g.lenient && !g.t.Failed() {
		g.t.Errorf("the gateway logged errors:\n%s", said)
	}
}

// client is a raw connection to the gateway.
type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (g *rig) dial() *client {
	g.t.Helper()
	c, err := net.Dial("tcp", g.address)
	check(g.t, err)
	g.t.Cleanup(func() { _ = c.Close() })
	check(g.t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return &client{t: g.t, Conn: c, in: bufio.NewReader(c)}
}

func (c *client) say(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, text)
	check(c.t, err)
}

// hear reads one response with its whole body; method is what was asked.
func (c *client) hear(method string) (*http.Response, string) {
	c.t.Helper()
	response, body, err := c.listen(method)
	check(c.t, err)
	return response, body
}

func (c *client) listen(method string) (*http.Response, string, error) {
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// closed checks that the server ends the connection now, with nothing more said.
func (c *client) closed() {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	if err != nil || len(rest) > 0 {
		c.t.Errorf("at the end of the connection: %q, %v; want an orderly end", rest, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memfd returns an unnamed file with this content; the caller closes it.
func memfd(t *testing.T, content string) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "body")
	check(t, os.WriteFile(path, []byte(content), 0o600))
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(t, err)
	return fd
}

// shared is a value that a test sets and its workers read.
type shared[T any] struct {
	mu sync.Mutex
	v  T
}

func (s *shared[T]) set(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v = v
}

func (s *shared[T]) get() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v
}

// living returns the number of a process that lives until the end of the test,
// for a worker that has none.
func living(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed by us
	})
	return cmd.Process.Pid
}

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// load is clients of a TCP address in the lab that count whatever happens to them.
// Nothing is tried again: what a browser would hide shows here.
type load struct {
	t       testing.TB
	lab     *Lab
	address string
	stop    chan struct{}
	ended   sync.Once
	done    sync.WaitGroup
	answers atomic.Int64

	mu     sync.Mutex
	counts map[string]int             // by kind of client and outcome
	took   map[string][]time.Duration // from the first byte sent to the last received, by kind of client
}

// answered is the only outcome that a client wants.
const answered = "answered"

// A request is what one kind of client asks, and the answer to it.
type request struct {
	kind string
	text string // the request, whole
	want string // body of the answer
	keep bool   // the connection is for more than one request
	// pause is the longest silence after an answer, 0 for none.
	pause time.Duration
}

// The kinds of clients. Those that pause are idle when a reload comes, and find
// out with the next request, at the latest, whether their connection is still there.
func kept() request {
	return request{kind: "keep-alive", text: "GET / HTTP/1.1\r\nHost: lab\r\n\r\n", want: "hello", keep: true}
}

func pausing() request {
	r := kept()
	r.kind, r.pause = "pausing", 3*time.Second
	return r
}

func single() request {
	return request{kind: "one request", text: "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", want: "hello", pause: 10 * time.Millisecond}
}

// upload has a body that does not fit the message of a request.
func upload() request {
	const size = 200_000
	head := fmt.Sprintf("POST /length HTTP/1.1\r\nHost: lab\r\nContent-Length: %d\r\n\r\n", size)
	return request{kind: "upload", text: head + strings.Repeat("x", size), want: fmt.Sprint(size), keep: true, pause: 50 * time.Millisecond}
}

// newLoad is a load without clients. They end with the test, if nobody ends it before.
func newLoad(t testing.TB, lab *Lab, address string) *load {
	l := &load{t: t, lab: lab, address: address, stop: make(chan struct{}), counts: map[string]int{}, took: map[string][]time.Duration{}}
	t.Cleanup(func() {
		l.ended.Do(func() { close(l.stop) })
		l.done.Wait()
	})
	return l
}

// clients starts n clients of a kind, which ask until the load ends.
func (l *load) clients(n int, r request) {
	for range n {
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			// The thread is not unlocked: it stays in the lab's network and ends
			// with the goroutine, which dials literal addresses by itself.
			runtime.LockOSThread()
			if err := l.lab.enterNetwork(); err != nil {
				l.count(r, err.Error())
				return
			}
			for l.running() {
				l.connection(r)
			}
		}()
	}
}

func (l *load) running() bool {
	select {
	case <-l.stop:
		return false
	default:
		return true
	}
}

// connection asks on one connection until that ends or the load does.
func (l *load) connection(r request) {
	dialer := net.Dialer{Timeout: stepLimit}
	conn, err := dialer.DialContext(context.Background(), "tcp", l.address)
	if err != nil {
		l.count(r, "connect: "+outcome(err))
		return
	}
	defer func() { _ = conn.Close() }() // what it brought was counted
	in := bufio.NewReader(conn)
	for first := true; l.running(); first = false {
		_ = conn.SetDeadline(time.Now().Add(stepLimit)) // sockets have deadlines
		began := time.Now()
		said, more := l.ask(conn, in, r)
		if said != answered && !first {
			said = "on a kept connection: " + said
		}
		l.count(r, said)
		if said == answered {
			l.record(r, time.Since(began))
		}
		if !more {
			return
		}
		if r.pause > 0 {
			select {
			case <-l.stop:
			case <-time.After(rand.N(r.pause)):
			}
		}
	}
}

// ask asks once and tells how it went, and whether the connection goes on.
func (l *load) ask(conn net.Conn, in *bufio.Reader, r request) (said string, more bool) {
	if _, err := io.WriteString(conn, r.text); err != nil {
		return "send: " + outcome(err), false
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return "response: " + outcome(err), false
	}
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return "body: " + outcome(err), false
	case response.StatusCode != http.StatusOK:
		return fmt.Sprintf("status %d", response.StatusCode), false
	case string(body) != r.want:
		return fmt.Sprintf("body %.40q", body), false
	case response.Close && r.keep:
		return "was told to close", false
	case !r.keep:
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			return "end of connection: " + outcome(err), false
		}
	}
	return answered, r.keep
}

// outcome names an error as a person would who counts them.
func outcome(err error) string {
	var late net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	case errors.As(err, &late) && late.Timeout():
		return "late"
	}
	return fmt.Sprint(err)
}

func (l *load) count(r request, said string) {
	if said == answered {
		l.answers.Add(1)
	} else {
		l.t.Logf("%s: %s: %s", time.Now().Format("15:04:05.000"), r.kind, said) // to be found in the journal
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[r.kind+": "+said]++
}

func (l *load) record(r request, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took[r.kind] = append(l.took[r.kind], took)
}

// flows waits until some more requests are answered: the load is on.
func (l *load) flows() {
	l.t.Helper()
	limit := time.Now().Add(stepLimit)
	for from := l.answers.Load(); l.answers.Load() < from+20; time.Sleep(time.Millisecond) { // clients tell nobody
		if time.Now().After(limit) {
			l.t.Fatalf("nothing is answered under load: %v", l.tally())
		}
	}
}

// end stops the clients after the request each is in. Any that got something other
// than an answer fails the test.
func (l *load) end() {
	l.t.Helper()
	l.ended.Do(func() { close(l.stop) })
	l.done.Wait()
	l.t.Logf("load: %s", strings.Join(l.tally(), "; "))
	for what, n := range l.counts {
		if !strings.HasSuffix(what, ": "+answered) {
			l.t.Errorf("%s: %d times, want none", what, n)
		}
	}
	if l.answers.Load() == 0 {
		l.t.Error("nothing was answered")
	}
}

// tally is what there is to say about the load, a line for each outcome.
func (l *load) tally() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(l.counts)) {
		line := fmt.Sprintf("%d %s", l.counts[what], what)
		kind, isAnswer := strings.CutSuffix(what, ": "+answered)
		if took := l.took[kind]; isAnswer && len(took) > 0 {
			slices.Sort(took)
			line += fmt.Sprintf(" (p50 %v, p99 %v, most %v)", rank(took, 50), rank(took, 99), took[len(took)-1].Round(100*time.Microsecond))
		}
		lines = append(lines, line)
	}
	return lines
}

// rank is a percentile of sorted durations.
func rank(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100].Round(100 * time.Microsecond)
}

// idlers are connections that asked once and then say nothing.
type idlers struct {
	t     testing.TB
	conns []net.Conn
	lost  chan error
	over  atomic.Bool
}

// idle opens n connections, asks on each once, and watches that none is closed.
func (l *load) idle(n int) *idlers {
	l.t.Helper()
	i := &idlers{t: l.t, lost: make(chan error, n)}
	for range n {
		conn, err := l.lab.Dial(l.t.Context(), "tcp", l.address)
		if err != nil {
			l.t.Fatal(err)
		}
		i.conns = append(i.conns, conn)
		if said, _ := l.ask(conn, bufio.NewReader(conn), kept()); said != answered {
			l.t.Fatalf("a connection that is to be idle: %s", said)
		}
		go func() {
			_, err := conn.Read(make([]byte, 1))
			if i.over.Load() {
				err = nil
			} else if err == nil {
				err = errors.New("something was received")
			}
			i.lost <- err
		}()
	}
	return i
}

// end asks once more on each: they are still connections to the service.
func (i *idlers) end(l *load) {
	i.t.Helper()
	i.over.Store(true)
	for _, conn := range i.conns {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // wakes the watcher
	}
	gone := 0
	for range i.conns {
		if err := <-i.lost; err != nil {
			gone++
			i.t.Errorf("an idle connection: %s", outcome(err))
		}
	}
	for _, conn := range i.conns {
		_ = conn.SetDeadline(time.Now().Add(stepLimit)) // sockets have deadlines
		if said, _ := l.ask(conn, bufio.NewReader(conn), kept()); said != answered && gone == 0 {
			i.t.Errorf("a request on a connection that was idle: %s", said)
		}
		_ = conn.Close() // answered
	}
	i.t.Logf("idle connections: %d, of which %d were closed", len(i.conns), gone)
}

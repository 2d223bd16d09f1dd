package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is clients that ask without pause, each on a connection it keeps alive.
type load struct {
	t       testing.TB
	network string
	address string
	path    string
	fields  string // of each request, beside Host
	stop    chan struct{}
	done    sync.WaitGroup
	answers atomic.Int64
	dials   atomic.Int64 // connections made

	mu     sync.Mutex
	counts map[string]int // outcomes, in words
}

// The outcomes of a request. Others are "status 502 empty" and the like.
const (
	outcomeOK = "answered"
	// outcomeCut is a connection that ended before the response did.
	outcomeCut = "cut"
	// outcomeRefused is a connection that was not taken.
	outcomeRefused = "refused"
)

// load starts clients that ask for path until they are told to end. The answer
// to it must be "hello".
func (s *service) load(clients int, path string) *load {
	s.t.Helper()
	return s.loadWith(clients, path, "")
}

// loadWith is load with more header fields, each ended by CRLF.
func (s *service) loadWith(clients int, path, fields string) *load {
	s.t.Helper()
	network, address := s.listener(0)
	l := &load{t: s.t, network: network, address: address, path: path, fields: fields, stop: make(chan struct{}), counts: map[string]int{}}
	for range clients {
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			for l.running() {
				l.connection()
			}
		}()
	}
	return l
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
func (l *load) connection() {
	l.dials.Add(1)
	conn, err := net.DialTimeout(l.network, l.address, patience)
	if err != nil {
		l.count(outcomeRefused)
		return
	}
	defer func() { _ = conn.Close() }() // what it brought was counted
	in := bufio.NewReader(conn)
	for l.running() {
		_ = conn.SetDeadline(time.Now().Add(patience)) // sockets have deadlines
		outcome, more := l.request(conn, in)
		l.count(outcome)
		if !more {
			return
		}
	}
}

// request asks once and tells how it went, and whether the connection goes on.
func (l *load) request(conn net.Conn, in *bufio.Reader) (outcome string, more bool) {
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: load\r\n%s\r\n", l.path, l.fields)
	var response *http.Response
	if err == nil {
		response, err = http.ReadResponse(in, nil)
	}
	var body []byte
	if err == nil {
		body, err = io.ReadAll(response.Body)
	}
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		return "unanswered", false
	case err != nil:
		return outcomeCut, false
	case response.StatusCode == 200 && string(body) == "hello":
		l.answers.Add(1)
		return outcomeOK, !response.Close
	case response.StatusCode == 200:
		return fmt.Sprintf("answered with %q", brief(string(body))), !response.Close
	case len(body) == 0:
		return fmt.Sprintf("status %d empty", response.StatusCode), !response.Close
	}
	return fmt.Sprintf("status %d", response.StatusCode), !response.Close
}

func (l *load) count(outcome string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[outcome]++
}

// flows waits until some more requests are answered: the load is on.
func (l *load) flows() {
	l.t.Helper()
	from := l.answers.Load()
	within(l.t, patience, "20 more answers under load", func() bool { return l.answers.Load() >= from+20 })
}

// end stops the clients after the request each is in, and returns the outcomes.
func (l *load) end() outcomes {
	l.t.Helper()
	close(l.stop)
	l.done.Wait()
	return l.counts
}

type outcomes map[string]int

func (o outcomes) String() string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(o)) {
		parts = append(parts, fmt.Sprintf("%d %s", o[outcome], outcome))
	}
	return strings.Join(parts, ", ")
}

// atMost fails the test if there was another outcome than an answer and those
// that limits names, or more of one than its limit.
func (o outcomes) atMost(t testing.TB, limits map[string]int) {
	t.Helper()
	for outcome, n := range o {
		if outcome != outcomeOK && n > limits[outcome] {
			t.Errorf("%s: %d, want at most %d (all: %s)", outcome, n, limits[outcome], o)
		}
	}
	if o[outcomeOK] == 0 {
		t.Error("nothing was answered")
	}
}

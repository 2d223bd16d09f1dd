package gateway

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
	"github.com/indrik/indrik/websocket"
)

// counted is what the gateway has counted so far.
func (g *rig) counted() (f Figures) {
	f.Add(g.counters)
	return f
}

// counts waits until the figures are as they should be: what happens after the last
// byte of a response is not waited for by its client.
func (g *rig) counts(t *testing.T, what string, want uint64, of func(*Figures) uint64) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		f := g.counted()
		got := of(&f)
		if got == want {
			return
		}
		if time.Now().After(deadline) || got > want {
			t.Errorf("%s: counted %d, want %d", what, got, want)
			return
		}
		time.Sleep(time.Millisecond) // a number in shared memory wakes nobody
	}
}

func refused(r Reason) func(*Figures) uint64 {
	return func(f *Figures) uint64 { return f.Refused[r] }
}

func answered(p Protocol, class int) func(*Figures) uint64 {
	return func(f *Figures) uint64 { return f.Requests[p][class-1] }
}

// metered counts the bytes of a client, to compare with the gateway's.
type metered struct {
	io.ReadWriter
	in, out atomic.Int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadWriter.Read(p)
	m.in.Add(int64(n))
	return n, err
}

func (m *metered) Write(p []byte) (int, error) {
	n, err := m.ReadWriter.Write(p)
	m.out.Add(int64(n))
	return n, err
}

// Whoever looks at figures decides by them: each must be what happened, on the
// express path and on that of goroutines.
func TestFiguresAreWhatHappened(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Loops, c.BodyLimit = 2, 1<<20 })
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		status := "200 OK"
		if env["PATH_INFO"] == "/none" {
			status = "404 Not Found"
		}
		closeFD(fd)
		s.send(dispatch.Tuple{id, status, fields(), []byte("hello")})
	})
	sent, received := int64(0), int64(0)
	ask := func(requests ...string) {
		t.Helper()
		c := g.dial()
		m := &metered{ReadWriter: c.Conn}
		c.in.Reset(m)
		for _, request := range requests {
			_, err := io.WriteString(m, request)
			check(t, err)
			c.hear("GET")
		}
		_ = c.Close()
		sent, received = sent+m.out.Load(), received+m.in.Load()
	}
	const chunked = "POST /whole HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	none := strings.Replace(get, "/", "/none", 1)
	ask(get, get, get, none, none)
	ask(chunked, chunked, get)
	ask("GET / HTTP/1.1\r\nHost : x\r\n\r\n")
	ask("GET / HTTP/1.1\r\nHost: x\r\nBig: " + strings.Repeat("x", 9000) + "\r\n\r\n")
	ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
	ask("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")

	for what, c := range map[string]struct {
		want uint64
		of   func(*Figures) uint64
	}{
		"2xx":            {6, answered(HTTP1, 2)},
		"4xx":            {5, answered(HTTP1, 4)},
		"5xx":            {1, answered(HTTP1, 5)},
		"latency":        {8, func(f *Figures) uint64 { return f.Latency.Count() }},
		"wait":           {8, func(f *Figures) uint64 { return f.Wait.Count() }},
		"malformed":      {1, refused(ReasonMalformed)},
		"large head":     {1, refused(ReasonLargeHead)},
		"large body":     {1, refused(ReasonLargeBody)},
		"unsupported":    {1, refused(ReasonUnsupported)},
		"accepted":       {6, func(f *Figures) uint64 { return f.Accepted }},
		"bytes received": {uint64(sent), func(f *Figures) uint64 { return f.Received }},
		"bytes sent":     {uint64(received), func(f *Figures) uint64 { return f.Sent }},
		"abandoned":      {0, func(f *Figures) uint64 { return f.Abandoned }},
	} {
		g.counts(t, what, c.want, c.of)
	}
}

// A histogram that is wrong by a round of the loop is right; one that is wrong by
// the time of the request is not.
func TestTimesAreMeasured(t *testing.T) {
	const wait, work = 300 * time.Millisecond, 200 * time.Millisecond
	g := newRig(t, nil)
	began := time.Now()
	for _, request := range []string{get, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
		c := g.dial()
		c.say(request)
		defer c.hear("GET")
	}
	g.awaitQueued(t, 2)
	time.Sleep(wait) // what is measured
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, fd int) {
		closeFD(fd)
		time.Sleep(work) // what is measured
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("hello")})
	})
	g.counts(t, "2xx", 2, answered(HTTP1, 2))
	limit := time.Since(began)
	f := g.counted()
	if sum := time.Duration(f.Wait.Sum); f.Wait.Count() != 2 || sum < 2*wait || sum > 2*limit {
		t.Errorf("waited %v in %d, want between %v and %v in 2", sum, f.Wait.Count(), 2*wait, 2*limit)
	}
	if sum, least := time.Duration(f.Latency.Sum), 2*wait+3*work; f.Latency.Count() != 2 || sum < least || sum > 2*limit {
		t.Errorf("took %v in %d, want between %v and %v in 2", sum, f.Latency.Count(), least, 2*limit)
	}
	if slices.Max(f.Wait.Buckets[:8]) != 0 { // up to 100 ms
		t.Errorf("short waits were counted: %v", f.Wait.Buckets)
	}
}

// awaitQueued waits until so many requests are in the queue, as the scoreboard says.
func (g *rig) awaitQueued(t *testing.T, want uint64) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for g.board.Loop(0).Queued() != want {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are queued, want %d", g.board.Loop(0).Queued(), want)
		}
		time.Sleep(time.Millisecond) // a number in shared memory wakes nobody
	}
	if age := dispatch.Monotonic() - g.board.Loop(0).Oldest(); age < 0 || age > int64(time.Minute) {
		t.Errorf("the oldest has waited %v", time.Duration(age))
	}
}

func TestFullQueuesAndLostClientsAreCounted(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Queue, c.QueueTimeout = 2, 2*time.Second })
	first, second, third := g.dial(), g.dial(), g.dial()
	first.say(get)
	second.say(get)
	g.awaitQueued(t, 2)
	third.say(get)
	third.hear("GET")
	g.counts(t, "queue full", 1, refused(ReasonQueueFull))
	_ = second.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
	_ = second.Close() // a reset: that it left is seen at once
	g.counts(t, "abandoned", 1, func(f *Figures) uint64 { return f.Abandoned })
	first.hear("GET")
	g.counts(t, "queue timeout", 1, refused(ReasonQueueTimeout))
	g.counts(t, "5xx", 2, answered(HTTP1, 5))
}

func TestConversationsAndTLSAreCounted(t *testing.T) {
	g := newTalk(t, nil, func(k *talk) {
		defer k.done()
		k.say("accept", nil, fields())
		for {
			if m, _, err := k.Receive(); err != nil || m[0] == "disconnect" {
				return
			}
		}
	})
	c := g.dial()
	c.say("GET / HTTP/1.1\r\n" + upgradeFields + "\r\n")
	_, err := http.ReadResponse(c.in, nil)
	check(t, err)
	now := func(f *Figures) uint64 { return f.Now.WebSockets }
	g.counts(t, "open", 1, now)
	g.counts(t, "begun", 1, func(f *Figures) uint64 { return f.WebSockets })
	_, err = c.Write(websocket.AppendHeader(nil, websocket.Close, true, false, 0)) // unmasked: it ends
	check(t, err)
	deadline := time.Now().Add(5 * time.Second)
	for f := g.counted(); f.Now.WebSockets != 0; f = g.counted() {
		if time.Now().After(deadline) {
			t.Fatalf("%d conversations are open after their end", f.Now.WebSockets)
		}
		time.Sleep(time.Millisecond) // a number in shared memory wakes nobody
	}
	g.counts(t, "1xx", 1, answered(HTTP1, 1))
	g.counts(t, "latency", 0, func(f *Figures) uint64 { return f.Latency.Count() })

	secure, ca := newTLSRig(t, nil)
	secure.hire(0, text("hello"))
	one, _ := secure.secure(ca, nil)
	one.say(get)
	one.hear("GET")
	two := secure.dial()
	two.say("\x16\x03\x01\x00\x05hello") // a record of the right kind, and nothing in it
	_, _ = io.ReadAll(two.Conn)          // the alert, and the end
	three := secure.dial()
	three.say(get)
	three.hear("GET")
	secure.counts(t, "handshakes", 1, func(f *Figures) uint64 { return f.Handshakes })
	secure.counts(t, "failed ones", 2, func(f *Figures) uint64 { return f.BadHandshakes })
	secure.counts(t, "2xx", 1, answered(HTTP1, 2))
	ask(t, secure.http2Client(ca), "GET", secure.url("/"), nil)
	secure.counts(t, "2xx over HTTP/2", 1, answered(HTTP2Stream, 2))
	secure.counts(t, "connections of HTTP/2", 1, func(f *Figures) uint64 { return f.HTTP2 })
}

// Every number lies where the master of another version looks for it.
func TestFiguresAreNumbersOnly(t *testing.T) {
	var f Figures
	for i := range f.words() {
		f.words()[i] = uint64(i) + 1
	}
	seen := uint64(0)
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Uint64:
			if seen++; v.Uint() != seen {
				t.Errorf("number %d is %d", seen, v.Uint())
			}
		default:
			t.Errorf("a %v among the figures", v.Kind())
		}
	}
	walk(reflect.ValueOf(f))
	if int(seen) != figureWords {
		t.Errorf("%d numbers, of %d words", seen, figureWords)
	}
}

// What one gateway counted is still there when another counts, but for what was so
// at the moment; a shorter version of the memory is read as far as it goes.
func TestFiguresOfAnEndedGateway(t *testing.T) {
	c, err := NewFigures(1)
	check(t, err)
	defer c.Close()
	f := figures(c, 0)
	f.answered(HTTP1, 200, int64(3*time.Millisecond))
	add(&f.Now.WebSockets, 3)
	add(&figures(c, 1).Now.HTTP2, 2)
	Forget(c)
	var sum Figures
	sum.Add(c)
	if sum.Requests[HTTP1][1] != 1 || sum.Latency.Sum != uint64(3*time.Millisecond) || sum.Now != (Figures{}).Now {
		t.Errorf("counted %+v", sum)
	}
	older, err := dispatch.NewCounters(2, 7)
	check(t, err)
	defer older.Close()
	older.Block(1)[6] = 5
	sum.Add(older)
	if sum.words()[6] != 5 {
		t.Errorf("of an older version: %v", sum.words()[:8])
	}
}

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		took   time.Duration
		bucket int
	}{
		{0, 0}, {500 * time.Microsecond, 0}, {500*time.Microsecond + 1, 1}, {time.Millisecond, 1}, {100 * time.Millisecond, 7},
		{time.Minute, 15}, {time.Minute + 1, 16}, {time.Hour, 16},
	} {
		var h Histogram
		*h.bucket(int64(c.took))++
		if h.Buckets[c.bucket] != 1 || h.Count() != 1 {
			t.Errorf("%v is in %v, want bucket %d", c.took, h.Buckets, c.bucket)
		}
	}
	if b := Bounds(); !slices.IsSorted(b) || len(b) != buckets {
		t.Errorf("bounds %v", b)
	}
}

func TestReasons(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Reason
	}{
		{errQueueFull, ReasonQueueFull}, {errSpoolFull, ReasonShortage}, {errSpool, ReasonSpool}, {errWorkerLate, ReasonWorkerLate},
		{&http1.Error{Status: 431}, ReasonLargeHead}, {&http1.Error{Status: 505}, ReasonUnsupported},
		{&http1.Error{Status: 400}, ReasonMalformed}, {io.ErrUnexpectedEOF, ReasonOther},
	} {
		if got := reasonOf(c.err); got != c.want {
			t.Errorf("%v is %v, want %v", c.err, got, c.want)
		}
	}
	var names []string
	for _, r := range Reasons() {
		names = append(names, r.String())
	}
	if slices.Sort(names); len(slices.Compact(names)) != int(numReasons) || slices.Contains(names, "") {
		t.Errorf("names of reasons: %q", names)
	}
}

// BenchmarkFigures is all that counting adds to a request of the express path.
func BenchmarkFigures(b *testing.B) {
	c, err := NewFigures(1)
	need(b, err)
	defer c.Close()
	f, took := figures(c, 0), int64(700e3)
	for b.Loop() {
		f.Received += 120
		f.waited(10e3)
		f.answered(HTTP1, 200, took)
		f.Sent += 200
	}
}

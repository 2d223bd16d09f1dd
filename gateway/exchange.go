package gateway

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// exchange is a connection in the hands of a goroutine, for one odd request:
// one whose body is chunked, large, slow or expected to be asked for, or whose
// response is a file or a stream. Reads and writes block, with deadlines.
type exchange struct {
	loop     *loop // only to post to
	gateway  *gateway
	conn     *conn
	sock     transport
	data     []byte // was read and belongs to no request yet
	buffer   []byte // for copying; made when first needed
	kit      *kit   // nil until it is needed; see tools
	origin   origin
	form     form
	asked    asked   // of the request that is served; zero before its head is parsed
	began    int64   // CLOCK_MONOTONIC ns: when its head was there
	line     logLine // of it; asked for once its head is understood
	head     []byte  // of its response, if a log wants that
	patience time.Duration
	pace     pace // of the request's body

	feed   *feed       // of the request in hand, if its body goes to the worker as it arrives
	halted atomic.Bool // reading is over: the feed must end

	// freed is closed when the loop has no trace of the request any more; nil
	// where nobody waits for that. It means something once submitted is set.
	freed     chan struct{}
	submitted bool

	// left is closed when the client of a stream of HTTP/2 has reset it; nil for others,
	// of which the loop learns it.
	left <-chan struct{}

	keep   bool // the connection may go on
	broken bool // it cannot even be said goodbye to: close it at once
	reset  bool // the client must learn that the response is incomplete
}

// lend takes a connection out of the loop and has work done with it by a
// goroutine of its own. data is what was read and not used. The goroutine works on
// a duplicate of the socket, because an os.File cannot let go of its descriptor;
// without one the connection stays where it is, and the error is errDescriptors.
func (l *loop) lend(c *conn, data []byte, work func(*exchange)) error {
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		l.tellShortage(err)
		return fmt.Errorf("%w: %w", errDescriptors, err)
	}
	l.enter(c, lent)
	// That it leaves is still noticed here. If not, its goroutine will notice.
	_ = l.rewatch(c.fd, unix.EPOLLRDHUP|unix.EPOLLET)
	x := &exchange{
		loop: l, gateway: l.gateway, conn: c,
		data:     append([]byte(nil), data...),
		patience: time.Duration(l.limits.patience),
		form:     form{mount: l.form.mount},
	}
	c.pending, c.partial = nil, nil
	go x.run(fd, work)
	return nil
}

// run does the work on fd, the duplicate of the socket, and gives the connection
// back.
func (x *exchange) run(fd int, work func(*exchange)) {
	x.sock = plain{File: os.NewFile(uintptr(fd), "client"), copies: x.gateway.config.CopyFiles, figures: x.gateway.figures}
	work(x)
	x.putAway()
	_ = x.sock.Close()                           // the duplicate; the loop has the socket
	x.loop.post(func(l *loop) { l.takeBack(x) }) // a loop outlives its connections
}

// takeBack makes a lent connection the loop's own again.
func (l *loop) takeBack(x *exchange) {
	c := x.conn
	if x.reset {
		// Closing without the empty linger time sends an orderly end, which a
		// client of HTTP/1.0 takes for the end of the body.
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if x.broken || x.reset {
		l.close(c)
		return
	}
	if err := l.rewatch(c.fd, connEvents); err != nil {
		l.log.Error("connection could not be watched", "error", err)
		l.close(c)
		return
	}
	c.readable = true // nobody has looked meanwhile
	c.last = !x.keep
	c.pending = x.data
	l.resume(c)
}

// serveRequest reads one request with its body, has it answered and writes the
// response.
func (x *exchange) serveRequest() {
	h := &x.tools().head
	x.began, x.line, x.head = dispatch.Monotonic(), logLine{}, x.head[:0]
	rules := x.gateway.config.rules()
	complete, err := x.origin.parse(x.conn, h, x.data, &rules)
	if err == nil && !complete {
		err = errCutHead
	}
	if err == nil {
		err = x.admit(h)
	}
	x.asked = x.gateway.asks(x.conn, h, &x.origin)
	defer func() { x.asked, x.line = asked{}, logLine{} }() // what comes next is another's
	if err != nil {
		x.refuse(err)
		return
	}
	x.line = x.newLine(h)
	x.data, x.pace = x.data[h.Size:], pace{}
	if x.serveStatic(h) {
		return
	}
	x.form.follow(x.gateway.course.Load())
	if x.form.upgrades(h) {
		x.upgrade(h)
		return
	}
	s := x.submission()
	err = x.takeBody(h, &s)
	if err != nil {
		x.refuse(err)
		return
	}
	if x.feed != nil {
		go x.feed.run()
	}
	x.submit(&s)
	x.finish(s.answers, s.asked, x.line)
}

// takeBody makes the rest of the request's message and what goes beside it: the
// whole body, or the stream on which it will come.
func (x *exchange) takeBody(h *http1.Head, s *submission) (err error) {
	course := x.gateway.course.Load()
	whole := !h.Chunked && int64(len(x.data)) >= h.ContentLength
	if !whole && course != nil && x.gateway.config.streams(course.asgi) {
		if x.feed, s.body, err = x.newFeed(h); err == nil {
			s.asgi = x.form.follow(course)
			s.rest = appendStreamed(x.form.append(nil, x.conn, h, &x.origin, h.ContentLength), h)
		}
		return err
	}
	if !h.Chunked && h.ContentLength <= 0 {
		s.asgi = x.form.follow(course)
		s.rest = dispatch.AppendBytes(x.form.append(x.kit.rest[:0], x.conn, h, &x.origin, 0), nil)
		x.kit.rest = s.rest[:0]
		return nil
	}
	body := newSpool(x.gateway, h.ContentLength)
	if err = x.collect(h, body); err == nil {
		s.asgi = x.form.follow(x.gateway.course.Load()) // only now: receiving takes time
		s.rest = x.form.append(nil, x.conn, h, &x.origin, body.size)
		s.rest, s.body, err = body.finish(s.rest)
		s.spooled = body.reserved
	}
	if err != nil {
		body.close()
	}
	return err
}

// submit lets the loop have the request. Loops outlive their connections, but not
// always the streams of those.
func (x *exchange) submit(s *submission) {
	s.freed = x.freed
	if x.submitted = x.loop.post(s.enqueue); !x.submitted {
		s.answers <- answer{failed: errClientLeft}
	}
}

// submission is a request that a goroutine wants dispatched.
type submission struct {
	conn    *conn // watched for the client's leaving
	answers chan answer
	asked   asked
	asgi    bool     // the form of rest
	rest    []byte   // the message after the id
	body    *os.File // goes beside it, or nil
	freed   chan struct{}
	spooled reservation
}

// submission is one for a request of the client in hand.
func (x *exchange) submission() submission {
	return submission{
		conn:    x.conn,
		answers: make(chan answer, answerRoom),
		asgi:    x.form.asgi,
		asked:   x.asked,
	}
}

// enqueue runs on the loop.
func (s *submission) enqueue(l *loop) {
	if s.conn.left {
		s.give(errClientLeft)
		return
	}
	if s.asgi != l.course.asgi {
		s.give(errFormChanged)
		return
	}
	r := l.requests.add()
	if r == nil {
		s.give(errQueueFull)
		return
	}
	r.asgi = s.asgi
	r.answers, r.asked, r.body, r.freed, r.spooled = s.answers, s.asked, s.body, s.freed, s.spooled
	r.lent, s.conn.request = s.conn, r
	r.msg = append(appendID(r.msg[:0], r.id), s.rest...)
	if err := l.enqueue(r); err != nil {
		l.fail(r, err)
	}
}

// give answers a submission that becomes no request.
func (s *submission) give(why error) {
	if s.body != nil {
		_ = s.body.Close() // nobody will read it
		s.spooled.release()
	}
	if s.freed != nil {
		close(s.freed)
	}
	s.answers <- answer{failed: why}
}

// finish waits for the answer of a dispatched request and writes the response.
func (x *exchange) finish(answers chan answer, state asked, line logLine) {
	x.conclude(x.await(answers), answers, state, line)
}

// conclude writes the response of an answer; of a streamed one the end is still to
// come on answers.
func (x *exchange) conclude(a answer, answers chan answer, state asked, line logLine) {
	state.keep = state.keep && x.gateway.mayKeep(x.conn)
	if x.feed != nil {
		state.keep = x.feed.answer() && state.keep
	}
	status, size, err := 0, int64(0), a.failed
	if err == nil {
		status, size, err = x.respond(&a, answers, &state)
		a.close()
	}
	switch {
	case errors.Is(err, errClientLeft):
		x.broken = true
	case err != nil:
		status = x.writeOwn(err, state, nil)
	}
	x.keep = state.keep && !x.broken && !x.reset
	if x.feed != nil {
		x.keep = x.feed.stop(x.keep)
		x.feed = nil
	}
	if errors.Is(err, errClientLeft) {
		add(&x.gateway.figures.Abandoned, 1)
		return
	}
	line.trip = a.trip
	line.log(x.gateway, status, size, x.head)
}

// await waits for the answer that decides, and passes informational responses
// on until then. A body that cannot be had ends the waiting: whatever the
// application would answer, it has not seen the request.
func (x *exchange) await(answers <-chan answer) answer {
	var fed <-chan struct{}
	if x.feed != nil {
		fed = x.feed.done
	}
	for {
		var a answer
		select {
		case a = <-answers:
		case <-x.left:
			x.tellLeft()
			continue // to the answer that this brings about
		case <-fed:
			fed = nil
			if err := x.feed.err; err != nil && !errors.Is(err, errUnwanted) {
				x.loop.post(func(l *loop) { l.clientLeft(x.conn) })
				return answer{failed: err}
			}
			continue
		}
		if !a.hints {
			return a
		}
		h, err := readHints(a.message)
		if err != nil {
			x.gateway.log.Error("informational response refused", "error", err)
			continue
		}
		x.write(h.append(nil))
	}
}

// tellLeft has the loop let go of the request of a stream that was reset.
func (x *exchange) tellLeft() {
	x.left = nil
	x.loop.post(func(l *loop) {
		x.conn.left = true
		l.clientLeft(x.conn)
	})
}

// refuse answers a request that is not dispatched. Its body may still be on its
// way, so the connection ends.
func (x *exchange) refuse(why error) {
	if errors.Is(why, errClientLeft) {
		if x.broken = true; x.line.began != 0 {
			add(&x.gateway.figures.Abandoned, 1)
		}
		return
	}
	state, head := x.asked, []byte(nil) // a body is not quoted: it may be anybody's secret
	if state.minor, state.keep = 1, false; state.field == nil {
		head, state.accept = x.data, acceptIn(x.data)
	}
	status := x.writeOwn(why, state, head)
	if x.line.began == 0 {
		x.line.askUnknown(x.gateway.ledger, x.conn, dispatch.Monotonic())
	}
	x.line.log(x.gateway, status, 0, x.head)
}

// writeOwn answers for the gateway itself; data is what the client is to blame
// for, or nil. It returns the status.
func (x *exchange) writeOwn(why error, state asked, data []byte) int {
	var date dateCache
	a := answerTo(why)
	x.gateway.identify(&state)
	x.gateway.note(why, a, x.conn, &state, data)
	out := appendOwnResponse(nil, date.at(dispatch.Monotonic()), a, state)
	x.remember(out)
	x.write(out)
	x.keep = state.keep
	return a.status
}

// write sends p whole. It reports false when the client is gone or took nothing
// for too long.
func (x *exchange) write(p []byte) bool {
	return x.send(func() error {
		_, err := x.sock.Write(p)
		return err
	})
}

// read fills p with what the client has sent, waiting for some.
func (x *exchange) read(p []byte) (int, error) {
	began := time.Now()
	patience := x.pace.allowance(x.gateway.config.MinBodyRate, x.patience)
	_ = x.sock.SetReadDeadline(began.Add(patience)) // sockets have deadlines
	if x.halted.Load() {                            // only now: whoever halts sets the deadline afterwards
		return 0, errUnwanted
	}
	n, err := x.sock.Read(p)
	x.pace.note(began, n)
	switch {
	case n > 0:
		return n, nil
	case x.halted.Load():
		return 0, errUnwanted
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, errSlow
	}
	return 0, errClientLeft
}

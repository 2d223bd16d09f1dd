package gateway

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
	"github.com/indrik/indrik/websocket"
)

// WebSocketConfig is about conversations. Where a time is zero nothing is done.
type WebSocketConfig struct {
	// MaxSize bounds a message of a client in bytes, after inflating (16 MiB).
	// Past it the conversation ends with 1009.
	MaxSize int64 `json:"max_size"`
	// PingInterval is the time between two pings, PingTimeout how long after one a
	// client may stay silent. Then it counts as lost.
	PingInterval time.Duration `json:"ping_interval"`
	PingTimeout  time.Duration `json:"ping_timeout"`
	// Deflate lets clients that offer permessage-deflate have it.
	Deflate bool `json:"deflate"`
}

// serveWebSocket lets the application decide over a handshake and then carries
// the conversation, or the response instead of it.
func (x *exchange) serveWebSocket(h *http1.Head) {
	shake, err := readHandshake(h)
	if err != nil {
		x.refuse(err)
		return
	}
	s := x.submission()
	worker, err := s.invite(x, h)
	if err != nil {
		x.gateway.log.Error("conversation could not be begun", "error", err)
		x.refuse(errQueueFull)
		return
	}
	defer worker.Close()
	x.loop.post(s.enqueue)
	x.decide(worker, &s, &shake, x.line)
}

// invite makes the message of a handshake, with the socket that goes beside it,
// and returns our end of that.
func (s *submission) invite(x *exchange, h *http1.Head) (*dispatch.Channel, error) {
	ours, theirs, err := dispatch.SocketPair()
	if err != nil {
		return nil, err
	}
	worker, err := dispatch.NewChannel(ours, "the application")
	if err != nil {
		_ = unix.Close(theirs) // nothing was written
		return nil, err
	}
	s.body = os.NewFile(uintptr(theirs), "conversation")
	s.rest = x.form.scope.append(nil, webSocketScope, x.conn, h, &x.origin, x.form.mount)
	s.rest = dispatch.AppendLatin1(s.rest, "websocket")
	return worker, nil
}

// spoken is a message from the application's side of a conversation.
type spoken struct {
	msg dispatch.Tuple
	fds []int
	err error
}

// decide waits for what the application says to a handshake, and does it.
func (x *exchange) decide(worker *dispatch.Channel, s *submission, shake *handshake, line logLine) {
	first := make(chan spoken, 1)
	go func() {
		var m spoken
		m.msg, m.fds, m.err = worker.Receive()
		first <- m
	}()
	var m spoken
	select {
	case m = <-first:
	case a := <-s.answers:
		if !a.follows(worker) {
			x.decline(a, worker, s, line)
			m = <-first // it has ended with the socket
			closeFDs(m.fds)
			return
		}
		m = <-first
		s.answers <- a
	}
	defer closeFDs(m.fds)
	o := order{msg: m.msg}
	switch verb := o.verb(); {
	case m.err != nil:
		// The worker closed its end: a response is on its way, or its death known.
		x.decline(<-s.answers, worker, s, line)
	case verb == "accept":
		a, err := shake.readAcceptance(m.msg)
		if err != nil {
			x.reject(err, worker, s, line)
			return
		}
		x.converse(worker, shake, a, line)
	case verb == "close":
		x.reject(errForbidden, worker, s, line)
	default:
		x.reject(fmt.Errorf("%w: %.40q before accept", errBadReply, verb), worker, s, line)
	}
}

// follows reports whether an answer that came first can only be later than what the
// application said on the socket, which therefore counts and can be received now: the
// message that ends a conversation, and the death of the worker.
func (a *answer) follows(worker *dispatch.Channel) bool {
	if dead := new(lostError); errors.As(a.failed, &dead) {
		// A process that the worker left behind may hold its end open and say nothing.
		_ = worker.CloseRead() // nothing else closes it while we wait
		return true
	}
	return a.isEnd()
}

var errForbidden = errors.New("the application declined the conversation")

// decline gives the client the response that it gets instead of a conversation,
// which may be that there is none.
func (x *exchange) decline(a answer, worker *dispatch.Channel, s *submission, line logLine) {
	if a.failed != nil {
		// The application may be in the middle of its decision.
		_ = worker.Send(dispatch.Tuple{"disconnect", int64(websocket.CodeAbnormal), ""}) // it may be gone
	}
	_ = worker.Close() // nothing was written that it still needs
	if a.hints {
		a = x.await(s.answers) // they are of no use to this client
	}
	x.conclude(a, s.answers, s.asked, line)
}

// reject gives the client a response of the gateway's own.
func (x *exchange) reject(why error, worker *dispatch.Channel, s *submission, line logLine) {
	x.decline(answer{failed: why}, worker, s, line)
}

// converse begins the accepted conversation and returns after its end.
func (x *exchange) converse(worker *dispatch.Channel, shake *handshake, a acceptance, line logLine) {
	g := x.gateway
	v := newConversation(x, worker, shake.deflate && g.config.WebSocket.Deflate)
	var date dateCache
	head := shake.appendSwitching(nil, date.at(dispatch.Monotonic()), a, v.out.deflate != nil)
	v.out.enter()
	v.out.send(head)
	v.out.leave()
	_ = x.sock.SetReadDeadline(time.Time{}) // sockets have deadlines
	if g.talking.add(v) {
		go v.goAway()
	}
	add(&g.figures.WebSockets, 1)
	add(&g.figures.Now.WebSockets, 1)
	v.run()
	add(&g.figures.Now.WebSockets, -1)
	g.talking.remove(v)
	x.keep, x.data = false, nil
	x.remember(head)
	line.log(g, 101, v.out.sent.Load(), x.head)
}

// leaver is what goes on until somebody ends it.
type leaver interface {
	// goAway begins the end, because the gateway drains. It may wait for a client.
	goAway()
}

// conversations are those that go on, to be told when the gateway drains. The
// zero value is ready.
type conversations struct {
	mu     sync.Mutex
	ending bool
	all    map[leaver]struct{}
}

// add reports whether the gateway is draining already.
func (s *conversations) add(v leaver) (ending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[leaver]struct{}{}
	}
	s.all[v] = struct{}{}
	return s.ending
}

func (s *conversations) remove(v leaver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, v)
}

// end tells all conversations to end, and those that begin later.
func (s *conversations) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return
	}
	s.ending = true
	for v := range s.all {
		go v.goAway()
	}
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		closeFD(fd)
	}
}

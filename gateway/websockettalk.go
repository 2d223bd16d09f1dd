package gateway

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

// smallTalk is a conversation in the hands of its connection's loop, which carries what
// most of them consist of: messages in one frame each of no more than inlineMessage, or
// loopPacked if they are compressed, pings and pongs. For each a goroutine would have to
// be woken twice.
//
//	hear   client ──frames──▶ conn.pending ──message──▶ worker
//	relay  client ◀──frames── unsent ◀──message── worker
//
// Whatever else comes up (a fragment, a breach of the protocol, a close frame, a message
// in a file, the end of either side) the loop leaves as it is and hands the conversation
// back to the exchange's goroutine: conversation.go has one place for each of these. When
// nothing of the kind has come for calmAfter messages, there is small talk again.
//
// As there, each side waits for the one it gives to: of the client there is one message
// at most and talkRead more in memory, of the worker what its socket holds. The loop has
// the turn of conversation.out as long as it carries the conversation, so that nobody
// else writes to the client.
//
// Everything here is the loop's until ended is closed, and then the exchange's.
type smallTalk struct {
	v      *conversation
	worker int           // the conversation's socket
	ended  chan struct{} // closed by handBack

	full    bool // the worker has no room: what is in conn.pending waits for it
	unread  bool // full: the client has more that was not read
	waiting bool // unsent is not empty: the worker has more that was not received

	unsent []byte // for the client, from somewhere in a frame on
	taken  int    // bytes of it that the client took since then
	since  int64  // when its patience began, CLOCK_MONOTONIC ns

	said   []spokenRaw // what the worker said that is not for a loop, and what followed
	broken bool        // the client cannot be written to, or took nothing for too long
}

// spokenRaw is a message of the worker as it came; empty for one that was lost.
type spokenRaw struct {
	msg []byte
	fd  int // -1 if none came with it
}

const (
	// talkRead is how much is read of a client of a small talk at a time.
	talkRead = 16 << 10
	// talkBatch is for how many messages sendmmsg is called. The socket of a worker that is
	// busy takes no more than some ten (net.unix.max_dgram_qlen), and what it does not take
	// has to be read again.
	talkBatch = 8
	// loopPacked is the length of the longest message that a loop inflates or compresses:
	// a tenth of a millisecond in which its other clients wait.
	loopPacked = 16 << 10
	// calmAfter is how many messages of a client, with nothing between them that is not for
	// a loop, bring a conversation back to one: the way there and back costs as much as some
	// of them.
	calmAfter = 32
)

var errNotForLoop = errors.New("not for a loop")

// smallTalk has the loop carry the conversation, and returns when that handed it back.
// The descriptors that Go's poller knows are given up meanwhile: it would wake a thread
// for each message. Where descriptors are short, or there is something between the
// socket and the frames, all is left to the goroutines.
func (v *conversation) smallTalk() {
	sock, direct := v.x.sock.(plain)
	if !direct || !v.leaveGround() {
		return
	}
	defer v.land()
	v.out.enter()
	client, worker, err := v.duplicates(sock)
	if err != nil || v.out.closed {
		closeFD(client)
		closeFD(worker)
		v.out.leave()
		return
	}
	_ = sock.Close()     // the duplicate is there
	_ = v.worker.Close() // likewise
	t := &smallTalk{v: v, worker: worker, ended: make(chan struct{})}
	v.x.loop.post(func(l *loop) { l.beginTalk(t) }) // a loop outlives its connections
	<-t.ended
	sock.File = os.NewFile(uintptr(client), "client")
	v.x.sock, v.out.sock = sock, sock
	again, err := dispatch.NewChannel(worker, "the application")
	if err != nil {
		v.x.gateway.log.Error("conversation could not be continued", "error", err)
		t.broken = true
	} else {
		v.worker = again
	}
	v.out.closed = t.broken
	v.rest = t
}

// resume goes on in goroutines with what the loop began. It has the turn of v.out.
func (v *conversation) resume() {
	t := v.rest
	if t == nil {
		return
	}
	v.out.send(t.unsent)
	left := v.out.closed
	v.out.leave() // answers a ping that waits
	if left {
		_ = v.x.sock.SetReadDeadline(time.Now()) // listen tells the application
	}
	for _, m := range t.said {
		var fds []int
		if m.fd >= 0 {
			fds = []int{m.fd}
		}
		v.act(m.msg, fds)
	}
	v.rest = nil
}

// duplicates of the client's and the worker's socket, -1 for one that there is none of.
func (v *conversation) duplicates(sock plain) (client, worker int, err error) {
	if client, err = dupFile(sock.File); err != nil {
		return -1, -1, err
	}
	worker, err = v.worker.Dup()
	return client, worker, err
}

func dupFile(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, failed := -1, error(nil)
	err = raw.Control(func(own uintptr) { fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, failed)
}

// ground says whether a loop carries a conversation. The zero value is ready: none does.
type ground struct {
	mu    sync.Mutex
	up    chan struct{} // nil while none does, else closed when that is over
	final bool          // none is to any more
}

// leaveGround reports false if the conversation is to stay with its goroutines.
func (v *conversation) leaveGround() bool {
	v.ground.mu.Lock()
	defer v.ground.mu.Unlock()
	if v.ground.final {
		return false
	}
	v.ground.up = make(chan struct{})
	return true
}

func (v *conversation) land() {
	v.ground.mu.Lock()
	defer v.ground.mu.Unlock()
	close(v.ground.up)
	v.ground.up = nil
}

// atSmallTalk reports whether a loop carries the conversation or is about to.
func (v *conversation) atSmallTalk() bool {
	v.ground.mu.Lock()
	defer v.ground.mu.Unlock()
	return v.ground.up != nil
}

// recall has the loop hand the conversation back, for good, and returns when it has. A
// talk that was asked of the loop before this finds that out when it begins.
func (v *conversation) recall() {
	v.ground.mu.Lock()
	v.ground.final = true
	up := v.ground.up
	v.ground.mu.Unlock()
	if up == nil {
		return
	}
	v.x.loop.post(func(l *loop) {
		if t := v.x.conn.talk; t != nil {
			l.handBack(t)
		}
	})
	<-up
}

// beginTalk makes the loop the one that carries the conversation. What the client has
// sent already is in the exchange's data.
func (l *loop) beginTalk(t *smallTalk) {
	x := t.v.x
	c := x.conn
	t.v.ground.mu.Lock()
	recalled := t.v.ground.final
	t.v.ground.mu.Unlock()
	if recalled {
		close(t.ended)
		return
	}
	c.talk, c.pending = t, x.data
	err := l.watch(t.worker, talkEvents, source{kind: aConversation, talk: t})
	if err == nil {
		err = l.rewatch(c.fd, connEvents)
	}
	if err != nil {
		l.log.Error("conversation could not be watched", "error", err)
		l.handBack(t)
		return
	}
	t.v.pulse.last.Store(l.now)
	l.hear(t, c.pending)
}

// talkEvents are those of a conversation's socket while its worker takes messages. That
// it has room is asked only when it had none: see awaitUptake.
const talkEvents = unix.EPOLLIN | unix.EPOLLET

// watchClient has what holds of the client's socket reported again.
func (l *loop) watchClient(t *smallTalk) {
	events := uint32(connEvents)
	if len(t.unsent) > 0 {
		events |= unix.EPOLLOUT
	}
	_ = l.rewatch(t.v.x.conn.fd, events) // it is watched
}

// watchWorker does the same for the conversation's.
func (l *loop) watchWorker(t *smallTalk) {
	events := uint32(talkEvents)
	if t.full {
		events |= unix.EPOLLOUT
	}
	_ = l.rewatch(t.worker, events) // it is watched
}

// handBack ends the loop's part. What it had and did not pass on is in t and in the
// exchange's data.
func (l *loop) handBack(t *smallTalk) {
	x := t.v.x
	c := x.conn
	l.unwatch(t.worker)
	_ = l.rewatch(c.fd, unix.EPOLLRDHUP|unix.EPOLLET) // as for any connection that is lent
	x.data, c.pending, c.need, c.talk = c.pending, nil, 0, nil
	close(t.ended)
}

// talkReady is called for each event of the client's socket.
func (l *loop) talkReady(t *smallTalk, events uint32) {
	c := t.v.x.conn
	if events&unix.EPOLLOUT != 0 && len(t.unsent) > 0 {
		l.relayRest(t)
	}
	if c.talk == t && events&^unix.EPOLLOUT != 0 {
		l.hearClient(t)
	}
}

// workerReady is called for each event of the conversation's socket.
func (l *loop) workerReady(t *smallTalk, events uint32) {
	if t.full && events&^unix.EPOLLIN != 0 {
		l.hearAgain(t)
	}
	if t.v.x.conn.talk == t && events&^unix.EPOLLOUT != 0 {
		l.relay(t)
	}
}

// sweepTalk ends a talk whose client took too little for too long.
func (l *loop) sweepTalk(t *smallTalk) {
	if len(t.unsent) > 0 && l.now-t.since > l.limits.patience {
		t.broken = true
		l.handBack(t)
	}
}

// pingIn sends the ping that is due, unless the client is in the middle of a frame, and
// reports whether it did.
func (l *loop) pingIn(v *conversation) bool {
	t := v.x.conn.talk
	if t == nil || len(t.unsent) > 0 {
		return false
	}
	l.send(t, websocket.AppendFrame(nil, websocket.Ping, nil))
	return !l.endIfBroken(t)
}

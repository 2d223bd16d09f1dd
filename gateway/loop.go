package gateway

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// source says what a descriptor in a loop's epoll set is.
type source struct {
	kind     sourceKind
	conn     *conn
	worker   *worker
	lane     *lane
	listener *listener
	talk     *smallTalk
	// turn counts what had this descriptor's number. An event carries the turn
	// that it was asked for in, because it may come after the number was closed
	// and given out again in the same round.
	turn int32
}

type sourceKind uint8

const (
	nothing sourceKind = iota // closed in this round; its late events are for nobody
	aMailbox
	aListener
	aConn
	aReplySocket
	aLane
	aConversation
)

// worker is a loop's view of one worker: where its replies come from.
type worker struct {
	slot, pid, generation int
	fd                    int
	own                   *lane // nil if it takes requests from the shared one
}

// loop is one goroutine of the express path. All fields but mail are its own.
type loop struct {
	id        int
	loopCount int
	gateway   *gateway
	log       hclog.Logger
	row       *dispatch.LoopRow
	figures   *Figures
	peeked    [64]byte                     // the start of a message that lies in a lane
	boards    map[int]*dispatch.Scoreboard // by generation: the rows of its seats
	limits    limits
	mail      mailbox

	epfd    int
	events  [256]unix.EpollEvent
	sources []source // by descriptor
	now     int64    // CLOCK_MONOTONIC ns when the round began
	yielded int64    // when others had a chance last

	conns    []*conn
	requests table
	queue    queue
	course   course
	lane     *lane           // the one that the workers share, or nil
	own      []*lane         // those of workers that have one each
	turn     int             // the lane in own that is asked first
	telling  []*lane         // those with something in left
	alone    bool            // the master is gone
	workers  map[int]*worker // by pid
	draining bool
	parting  int64 // draining: until when connections without a request stay
	drained  bool
	unasked  int       // handing over: how many of conns, from the first, may not have been offered
	outgoing []*parcel // handing over: to be offered next; their connections are not watched any more

	head    http1.Head
	rules   http1.Limits
	scratch []byte // what is being read
	origin  origin // of the head that was parsed last
	form    form
	out     []byte // the response being written
	inbox   *inbox
	outbox  *outbox
	batch   []*request
	gist    gist
	notes   []byte // what workers are told of clients that left
	reader  dispatch.Reader
	date    dateCache
	sheet   *sheet  // nil if nothing is noted
	unknown logLine // of requests that were not understood

	listeners   []*listener // those in the epoll set (first loop only)
	next        int         // the loop that gets the next connection
	beat        int64
	swept       int64
	searched    int64
	searchUntil int64 // look for lost requests until then
	acceptAgain int64 // accepting is paused until then
	pauseTold   int64 // no word about that until then
	// shortageTold is the same for requests refused for want of descriptors.
	shortageTold int64
	turned       int   // connections turned away since the log was told
	turnedTold   int64 // no word about that until then
	accepted     uint64
	answered     uint64

	pace           int // requests answered per millisecond lately
	answeredBefore uint64
}

// newLoop makes the loop's descriptors. They are closed when run returns.
func newLoop(g *gateway, id int) (*loop, error) {
	l := &loop{
		id: id, loopCount: g.config.Loops, gateway: g, row: g.board.Loop(id), figures: figures(g.counters, id),
		boards:   map[int]*dispatch.Scoreboard{},
		log:      g.log.With("loop", id),
		limits:   g.config.limits(),
		requests: newTable(id, g.config.Epoch),
		workers:  map[int]*worker{},
		rules:    g.config.rules(),
		scratch:  make([]byte, readBuffer),
		out:      make([]byte, 0, inlineBody),
		inbox:    newInbox(replyBatch, dispatch.MaxMessage),
		outbox:   newOutbox(batch),
		sheet:    g.ledger.sheet(),
		form:     form{mount: g.config.RootPath},
	}
	var err error
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("create an epoll set: %w", err)
	}
	if l.mail.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("create an eventfd: %w", err)
	}
	return l, l.watch(l.mail.wake, unix.EPOLLIN, source{kind: aMailbox})
}

// run turns until the loop has drained.
func (l *loop) run() {
	for !l.drained {
		n := l.wait()
		l.now = dispatch.Monotonic()
		for i := range n {
			l.handle(&l.events[i])
		}
		l.flush()
		l.sheet.flush()
		l.housekeep()
	}
	l.row.SetConnections(0)
	l.sheet.report()
	l.letGoOfLanes()
	_ = unix.Close(l.epfd)
}

// yield gives the processor up now and then, when there is nothing to do, and so begins a
// new turn of the scheduler. From a goroutine whose turn is longer than 10 ms Go's monitor
// takes the processor as soon as it waits in a system call; the monitor's thread then wakes
// for every event that the loop does, and watches it every 20 µs.
func (l *loop) yield() {
	if l.now-l.yielded >= turnLimit {
		runtime.Gosched() // others may keep us waiting for longer than the limit
		l.yielded = dispatch.Monotonic()
	}
}

// wait returns the events of the next round: at once while there is work, and
// by a call that the scheduler knows of when there is none.
func (l *loop) wait() int {
	n, err := poll(l.epfd, l.events[:])
	if n == 0 && err == nil {
		limit := waitLimit
		if l.now < l.searchUntil || l.acceptAgain != 0 {
			limit = waitShort
		}
		l.yield()
		n, err = unix.EpollWait(l.epfd, l.events[:], limit)
	}
	if err != nil && err != unix.EINTR {
		l.log.Error("epoll set could not be read", "error", err)
	}
	return max(n, 0)
}

func (l *loop) handle(e *unix.EpollEvent) {
	s := &l.sources[e.Fd]
	if s.turn != e.Pad {
		return // of a descriptor that was closed in this round
	}
	switch s.kind {
	case aConn:
		l.connReady(s.conn, e.Events)
	case aReplySocket:
		l.replies(s.worker)
	case aListener:
		l.accept(s.listener)
	case aLane:
		s.lane.full = false // flush follows
	case aConversation:
		l.workerReady(s.talk, e.Events)
	case aMailbox:
		l.mail.open(l)
	case nothing:
	}
}

// watch adds a descriptor to the epoll set.
func (l *loop) watch(fd int, events uint32, s source) error {
	for len(l.sources) <= fd {
		l.sources = append(l.sources, make([]source, max(64, len(l.sources)))...)
	}
	l.forget(fd)
	s.turn = l.sources[fd].turn
	l.sources[fd] = s
	event := unix.EpollEvent{Fd: int32(fd), Pad: s.turn, Events: events}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		l.forget(fd)
		return fmt.Errorf("add descriptor %d to the epoll set: %w", fd, err)
	}
	return nil
}

// unwatch takes it out again, without closing it.
func (l *loop) unwatch(fd int) {
	l.forget(fd)
	_ = unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, fd, nil) // it may have gone already
}

// rewatch changes what a watched descriptor is watched for. A condition that
// holds already is reported again.
func (l *loop) rewatch(fd int, events uint32) error {
	event := unix.EpollEvent{Fd: int32(fd), Pad: l.sources[fd].turn, Events: events}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, fd, &event); err != nil {
		return fmt.Errorf("change what descriptor %d is watched for: %w", fd, err)
	}
	return nil
}

// forget makes a descriptor's late events nobody's.
func (l *loop) forget(fd int) {
	if fd >= len(l.sources) {
		return // it never was in the epoll set
	}
	l.sources[fd] = source{turn: l.sources[fd].turn + 1}
}

// housekeep does what is due by the clock.
func (l *loop) housekeep() {
	if l.now-l.beat >= beatPeriod {
		l.keepPace(l.now - l.beat)
		l.beat = l.now
		l.report()
		l.sheet.report()
	}
	if l.now-l.swept >= sweepPeriod {
		l.swept = l.now
		l.sweepConns()
		l.sweepQueue()
		l.flush()
	}
	if l.now < l.searchUntil && l.now-l.searched >= searchPeriod {
		l.searched = l.now
		l.searchLost()
	}
	if l.acceptAgain != 0 && l.now >= l.acceptAgain {
		l.acceptAgain = 0
		l.acceptFrom(l.listeners)
	}
	if l.draining && len(l.conns) == 0 && l.mail.empty() {
		l.drained = true
	}
}

// report writes the loop's row of the scoreboard.
func (l *loop) report() {
	l.row.SetConnections(uint64(len(l.conns)))
	l.row.SetQueued(uint64(l.queue.len()))
	l.row.SetDispatched(uint64(l.requests.inFlight() - l.queue.len()))
	l.row.SetAnswered(l.answered)
	l.row.SetAccepted(l.accepted)
	l.row.SetOldest(l.oldestWaiting())
	l.row.SetBeat(l.now)
}

// sweepConns closes connections whose deadline has passed.
func (l *loop) sweepConns() {
	for i := len(l.conns) - 1; i >= 0; i-- {
		c := l.conns[i]
		if c.phase == reading && c.need > 0 && l.gateway.config.streams(l.course.asgi) {
			// A small body is waited for a moment, as it mostly comes whole. This
			// one does not.
			l.lendRequest(c, c.pending)
		}
		if c.phase == lent && c.ended && c.request != nil && c.request.phase == begun && l.now-atomic.LoadInt64(&c.moved) > silence {
			l.clientLeft(c)
		}
		l.sweepSending(c)
		if c.talk != nil {
			l.sweepTalk(c.talk)
		}
		if c.deadline == 0 || l.now < c.deadline {
			continue
		}
		if c.unannounced {
			l.turnAway(c, errProxySlow)
			continue
		}
		if c.phase == reading && len(c.pending) > 0 {
			l.refuse(c, errSlow, c.pending)
			continue
		}
		l.close(c)
	}
}

// mailbox is how others ask something of a loop.
type mailbox struct {
	mu    sync.Mutex
	posts []func(*loop)
	wake  int
	shut  bool
}

// post has f run by l, soon. It reports false when the loop has ended
// and f will never run.
func (l *loop) post(f func(*loop)) bool {
	m := &l.mail
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shut {
		return false
	}
	m.posts = append(m.posts, f)
	if len(m.posts) == 1 {
		_, err := unix.Write(m.wake, binary.NativeEndian.AppendUint64(nil, 1))
		if err != nil && err != unix.EAGAIN {
			panic(os.NewSyscallError("write to an eventfd", err)) // it is ours and open
		}
	}
	return true
}

// open runs what was posted.
func (m *mailbox) open(l *loop) {
	var counter [8]byte
	_, _ = unix.Read(m.wake, counter[:]) // empties the eventfd; EAGAIN if it was
	m.mu.Lock()
	posts := m.posts
	m.posts = nil
	m.mu.Unlock()
	for _, f := range posts {
		f(l)
	}
}

// empty reports that nothing is left to run, and from then on refuses posts:
// the loop is about to end.
func (m *mailbox) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shut = len(m.posts) == 0
	return m.shut
}

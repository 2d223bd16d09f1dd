package gateway

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A Unix socket tells its writer whenever the reader has read. For a request that
// would be a wake-up when its worker takes it, and one when a client behind a Unix
// socket (bench has such) reads its response; both for nothing.
func TestReadersDoNotWakeTheLoop(t *testing.T) {
	b := newBench(t)
	b.turn()
	for l := b.loop; ; { // what the preparations and the turn have left
		if n, err := poll(l.epfd, l.events[:]); n == 0 {
			need(t, err)
			break
		}
	}
	b.loop.outbox.add([]byte("a request"))
	_, err := b.loop.outbox.send(b.loop.lane.fd)
	need(t, err)
	_, err = readFD(b.taker, b.received)
	need(t, err)
	_, err = writeFD(b.conn.fd, []byte("a response"))
	need(t, err)
	_, err = readFD(b.client, b.received)
	need(t, err)
	if n, err := poll(b.loop.epfd, b.loop.events[:]); n != 0 || err != nil {
		t.Errorf("got %d events (%v), want none: the first is of descriptor %d, lane %d, client %d",
			n, err, b.loop.events[0].Fd, b.loop.lane.fd, b.conn.fd)
	}
}

// A lane that took no more is written to again when a worker has taken enough from it,
// each time.
func TestAFullLaneSaysWhenItHasRoom(t *testing.T) {
	b := newBench(t)
	l, message := b.loop, make([]byte, 64<<10)
	for range 3 {
		for err := error(nil); err == nil; {
			l.outbox.add(message)
			_, err = l.outbox.send(l.lane.fd)
		}
		l.awaitRoom(l.lane)
		if b.laneEvents() != 0 || !l.lane.full {
			t.Fatal("a full lane says that it has room")
		}
		for {
			if _, _, err := unix.Recvfrom(b.taker, b.received, unix.MSG_DONTWAIT); err != nil {
				break // EAGAIN: empty
			}
		}
		if got := b.laneEvents(); got != 1 || l.lane.full {
			t.Fatalf("an empty lane that was full has %d events, want 1; noted as full: %v", got, l.lane.full)
		}
	}
}

// laneEvents handles what the epoll set says of the lane, and counts it.
func (b *bench) laneEvents() (count int) {
	l := b.loop
	n, err := poll(l.epfd, l.events[:])
	need(b.t, err)
	for i := range n {
		if int(l.events[i].Fd) == l.lane.fd {
			l.handle(&l.events[i])
			count++
		}
	}
	return count
}

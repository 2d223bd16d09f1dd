package gateway

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// newSearch is a loop whose only worker, process 1 in slot 0, has taken a request and
// not noted it yet, and which has found that nobody holds it.
func newSearch(t *testing.T) (b *bench, board *dispatch.Scoreboard, id int64) {
	t.Helper()
	b = newBench(t)
	board, err := dispatch.NewScoreboard(1, 4, 1)
	need(t, err)
	t.Cleanup(func() { _ = board.Close() })
	b.loop.boards = map[int]*dispatch.Scoreboard{1: board}
	board.Seat(0, 0).Occupy(1, 1)
	board.Seat(0, 0).SetBeat(dispatch.Monotonic())
	id = b.ask()
	b.search()
	if r := b.loop.requests.find(uint64(id)); r == nil || r.missed == 0 {
		t.Fatal("a request that is nowhere is not missed")
	}
	return b, board, id
}

// The client of a request that died with its worker would wait until the successor, which beats when it is
// ready and then has nothing to do, beats once more: a second.
func TestALostRequestIsFoundBeforeASuccessorIsReady(t *testing.T) {
	b := newBench(t)
	board, err := dispatch.NewScoreboard(1, 4, 1)
	need(t, err)
	t.Cleanup(func() { _ = board.Close() })
	b.loop.boards = map[int]*dispatch.Scoreboard{1: board}
	b.ask()
	b.loop.now = dispatch.Monotonic()
	b.loop.leave(1, errWorkerDied, nil, nil)

	replies, theirs, err := dispatch.SocketPair()
	need(t, err)
	t.Cleanup(func() { _ = unix.Close(theirs) })
	need(t, unix.SetNonblock(replies, true))
	board.Seat(1, 0).Occupy(os.Getpid(), 1)
	board.Seat(1, 0).SetBeat(dispatch.Monotonic())
	b.loop.join(&worker{pid: os.Getpid(), generation: 1, slot: 1, fd: replies})
	b.search()
	if text := b.heard(); !strings.HasPrefix(text, "HTTP/1.1 502 ") {
		t.Errorf("the client got %q", text)
	}
}

func (b *bench) search() {
	b.loop.now = dispatch.Monotonic()
	b.loop.searchLost()
}

// heard is what the client has got.
func (b *bench) heard() string {
	b.t.Helper()
	n, err := readFD(b.client, b.received)
	need(b.t, err)
	return string(b.received[:n])
}

// A gateway that was stopped finds much at once when it goes on, and epoll_wait(2), which
// that interrupts, tells it nothing: that a worker is idle and has beaten, and in its
// socket what it answered before. The answer counts.
func TestAnAnswerIsHeardBeforeARequestIsGivenUp(t *testing.T) {
	b, board, id := newSearch(t)
	b.answer(id)
	board.Seat(0, 0).SetBeat(dispatch.Monotonic())
	b.search()
	if text := b.heard(); !strings.HasPrefix(text, "HTTP/1.1 200 ") {
		t.Errorf("the client got %q", text)
	}
}

// A worker that the master has not told of yet may have answered where nobody hears it.
func TestARequestMayBeWithAWorkerNotToldOf(t *testing.T) {
	b, board, id := newSearch(t)
	stranger := board.Seat(3, 0)
	stranger.Occupy(os.Getpid(), 1)
	stranger.SetBeat(dispatch.Monotonic())
	board.Seat(0, 0).SetBeat(dispatch.Monotonic())
	b.search()
	if b.loop.requests.find(uint64(id)) == nil {
		t.Fatal("the request was given up")
	}
	stranger.Clear()
	b.search()
	if text := b.heard(); !strings.HasPrefix(text, "HTTP/1.1 502 ") {
		t.Errorf("the client got %q", text)
	}
}

// Without a master nobody will tell of such a worker any more.
func TestAWorkerNeverToldOfIsNotWaitedFor(t *testing.T) {
	b, board, _ := newSearch(t)
	stranger := board.Seat(3, 0)
	stranger.Occupy(os.Getpid(), 1)
	stranger.SetBeat(dispatch.Monotonic())
	board.Seat(0, 0).SetBeat(dispatch.Monotonic())
	b.loop.alone = true
	b.search()
	if text := b.heard(); !strings.HasPrefix(text, "HTTP/1.1 502 ") {
		t.Errorf("the client got %q", text)
	}
}

package gateway

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

const (
	// parcels is how many connections travel in one message, and so how many of
	// our descriptors are in flight at a time: the kernel counts those of all
	// processes of a user against RLIMIT_NOFILE (unix(7), ETOOMANYREFS).
	parcels = dispatch.MaxFDs
	// parcelRoom bounds the content of a message, and of one connection in it. One
	// with more stays until its request is answered.
	parcelRoom = dispatch.MaxMessage - 16<<10
	// parcelPause is how long to wait when too many descriptors are in flight.
	parcelPause = 10 * time.Millisecond
	// parcelLimit is how long the successor may leave a message unanswered. It is
	// stopped or stuck then, and connections are not waiting for it.
	parcelLimit = 5 * time.Second
)

// handover passes the connections of a gateway that drains to its successor, over
// a channel that the master made. One message with some connections is out at a
// time, until the successor has said which of them it took: up to that moment they
// are ours, from then on its own, whatever becomes of either process. Connections
// that it did not take stay, and are drained as without a successor.
//
// Its goroutine asks the loops for connections; a loop that has one more later says
// so by more.
type handover struct {
	gateway   *gateway
	successor *dispatch.Channel
	answers   chan []bool   // of the successor: which it took; closed when it says no more
	more      chan struct{} // a loop has connections to pass
	over      chan struct{} // closed when nothing is passed any more
	passed    int
}

// prepareHandover makes the hand-over to the gateway at the other end of fd, whose
// goroutines are still to be started; nil if there can be none.
func (g *gateway) prepareHandover(fd int) *handover {
	successor, err := dispatch.NewChannel(fd, "the next gateway")
	if err != nil {
		g.log.Error("connections are not handed over", "error", err)
		return nil
	}
	successor.SetSendTimeout(parcelLimit)
	h := &handover{
		gateway: g, successor: successor,
		answers: make(chan []bool), more: make(chan struct{}, 1), over: make(chan struct{}),
	}
	g.successor.Store(h)
	return h
}

// passes reports that a connection without a request goes to another gateway. Its
// clients are not told to close it, therefore. It may be asked by whoever has the
// connection in hand.
func (g *gateway) passes(c *conn) bool {
	h := g.successor.Load()
	return h != nil && h.going() && !c.stays && c.fd >= 0 // residents have none
}

// mayKeep reports that a connection may go on after a response.
func (g *gateway) mayKeep(c *conn) bool { return !g.draining.Load() || g.passes(c) }

func (h *handover) going() bool {
	select {
	case <-h.over:
		return false
	default:
		return true
	}
}

// listen takes the successor's answers until it says no more.
func (h *handover) listen() {
	defer close(h.answers)
	for {
		msg, fds, err := h.successor.Receive()
		closeFDs(fds) // none are due
		if err != nil {
			return // it is gone, or has said what is not to be understood
		}
		took := make([]bool, 0, len(msg))
		for _, v := range msg {
			yes, _ := v.(bool)
			took = append(took, yes)
		}
		select {
		case h.answers <- took:
		case <-h.over:
			return
		}
	}
}

// run passes what the loops have until there is nothing and nobody left.
func (h *handover) run() {
	defer h.end()
	for !h.halted() {
		some := false
		for _, l := range h.gateway.loops {
			all := h.ask(l)
			if len(all) == 0 {
				continue
			}
			some = true
			took, err := h.pass(all)
			l.post(func(l *loop) { l.settleParcels(all, took) }) // a loop outlives its connections
			if err != nil {
				h.gateway.log.Warn("hand-over of connections ended", "error", err, "passed", h.passed)
				return
			}
		}
		if some {
			continue
		}
		select {
		case <-h.more:
		case <-h.answers: // nobody asked: the successor is gone
			h.gateway.log.Warn("hand-over of connections ended", "error", errSuccessor, "passed", h.passed)
			return
		case <-h.gateway.halting: // as above
		case <-h.gateway.drained:
			h.gateway.log.Debug("connections were handed over", "count", h.passed)
			return
		}
	}
}

// halted reports that the gateway is to end soon.
func (h *handover) halted() bool {
	select {
	case <-h.gateway.halting:
		return true
	default:
		return false
	}
}

// end makes what is left stay here.
func (h *handover) end() {
	close(h.over)
	for _, l := range h.gateway.loops {
		l.post((*loop).keepParcels)
	}
	_ = h.successor.Close() // nothing is on its way
}

// ask has a loop give what it has to pass. It waits for the loop's round.
func (h *handover) ask(l *loop) []*parcel {
	given := make(chan []*parcel, 1)
	if !l.post(func(l *loop) { given <- l.offer() }) {
		return nil
	}
	return <-given
}

// errSuccessor reports a successor that is gone or does not answer.
var errSuccessor = errors.New("the next gateway is gone or does not answer")

// pass sends connections and returns which the successor took. With an error it
// will take no more.
func (h *handover) pass(all []*parcel) (took []bool, err error) {
	list, fds := make(dispatch.List, len(all)), make([]int, len(all))
	for i, p := range all {
		list[i], fds[i] = p.message(), p.conn.fd
	}
	if err := h.send(dispatch.Tuple{"connections", list}, fds); err != nil {
		return nil, fmt.Errorf("pass connections: %w", err)
	}
	patience := time.NewTimer(parcelLimit)
	defer patience.Stop()
	select {
	case took = <-h.answers:
	case <-patience.C:
		// From here on its answer fails, and without one it takes nothing. One that
		// it gave just before is still received.
		_ = h.successor.CloseRead() // a socket can always be shut
		took = <-h.answers
		err = errSuccessor
	}
	if took == nil {
		return nil, errSuccessor
	}
	for _, yes := range took {
		if yes {
			h.passed++
		}
	}
	return took, err
}

// send repeats what the kernel may take later.
func (h *handover) send(msg dispatch.Tuple, fds []int) error {
	limit := time.Now().Add(parcelLimit)
	for {
		err := h.successor.Send(msg, fds...)
		busy := errors.Is(err, unix.ETOOMANYREFS) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
		if !busy || time.Now().After(limit) {
			return err
		}
		select {
		case <-time.After(parcelPause):
		case <-h.gateway.halting:
			return err
		}
	}
}

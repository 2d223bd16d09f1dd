package gateway

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// rateGrace is how long a client may be slower than the least rate at first:
// connections start slowly, and a rate means nothing over an instant.
const rateGrace = 5 * time.Second

// pace is how fast a client has sent its body so far. Only the time in which it
// was waited for counts: it does not answer for a slow application or disk.
type pace struct {
	moved  int64 // bytes
	waited time.Duration
}

// allowance is how long the client may be waited for now before its average has
// fallen below rate (bytes in a second), and at most patience; a rate of 0 is
// none.
func (p *pace) allowance(rate int64, patience time.Duration) time.Duration {
	if rate <= 0 {
		return patience
	}
	earned := time.Duration(float64(p.moved) / float64(rate) * float64(time.Second))
	return min(patience, max(rateGrace+earned-p.waited, 0))
}

// note counts what one wait that began then has brought.
func (p *pace) note(began time.Time, n int) {
	p.waited += time.Since(began)
	p.moved += int64(n)
}

// uptake is how a client takes what is being sent to it. How much a write left
// over says little, as the kernel takes megabytes at once and then nothing for
// long; what counts is what the client has acknowledged.
type uptake struct {
	since   int64  // the sending it belongs to
	began   int64  // when it was first looked at
	from    uint64 // bytes acknowledged then
	last    uint64 // bytes acknowledged at the last look
	moved   int64  // when that last grew
	checked int64
}

// uptakePeriod is the time between two looks at one client.
const uptakePeriod = int64(time.Second)

// sweepSending cuts clients off that take their response too slowly: nothing for
// as long as their patience is, or on average less than the least rate.
func (l *loop) sweepSending(c *conn) {
	since := atomic.LoadInt64(&c.sending)
	if since == 0 || c.fd < 0 {
		return
	}
	u := &c.uptake
	if u.since == since && l.now-u.checked < min(uptakePeriod, l.limits.patience/2) {
		return
	}
	acked, ok := acknowledged(c.fd)
	if u.since != since {
		*u = uptake{since: since, began: l.now, from: acked, last: acked, moved: l.now, checked: l.now}
		return
	}
	u.checked = l.now
	if acked > u.last {
		u.last, u.moved = acked, l.now
	}
	took := l.now - u.began
	slow := ok && l.limits.bodyRate > 0 && took > int64(rateGrace) &&
		int64(u.last-u.from) < l.limits.bodyRate*(took-int64(rateGrace))/int64(time.Second)
	if slow || l.now-u.moved > l.limits.patience {
		l.log.Debug("client was too slow", "client", string(c.client), "taken", u.last-u.from, "after", time.Duration(took))
		l.cutOff(c)
	}
}

// acknowledged is how many bytes the peer of a TCP socket has acknowledged; on a
// Unix socket, where the peer's reading is seen at once, how many it has read
// cannot be told, and a write that is stuck is one that makes no progress.
func acknowledged(fd int) (uint64, bool) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, false
	}
	return info.Bytes_acked, true
}

// cutOff ends a connection at once, with what its socket still holds. A goroutine
// that has it finds it closed.
func (l *loop) cutOff(c *conn) {
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if c.phase != lent {
		l.close(c)
		return
	}
	_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // it may be gone already
}

// send calls f, which writes to the client. On the socket itself the loop
// watches the client's pace; a transport over it has a deadline.
func (x *exchange) send(f func() error) bool {
	if x.broken {
		return false
	}
	if x.conn.fd < 0 {
		_ = x.sock.SetWriteDeadline(time.Now().Add(x.patience)) // sockets have deadlines
	} else {
		atomic.StoreInt64(&x.conn.sending, dispatch.Monotonic())
	}
	if err := f(); err != nil {
		x.broken = true
	}
	atomic.StoreInt64(&x.conn.sending, 0)
	return !x.broken
}

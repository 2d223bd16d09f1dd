package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// maxUpgradeWait is how long the socket of a connection that was taken over may
// stay open and silent after its request has ended: a thread of the application
// may have a last word, and a process that a dead worker left behind may hold it.
const maxUpgradeWait = time.Second

// upgrades reports whether a request that wants to leave HTTP is treated apart. A
// server may ignore the wish (RFC 9110 section 7.8), and where workers have one
// seat each it does: one client would have the worker to itself.
func (f *form) upgrades(h *http1.Head) bool {
	switch {
	case !h.Upgrade:
		return false
	case f.asgi:
		return asksForWebSocket(h)
	}
	// HTTP/2 is not spoken through an upgrade any more (RFC 9113 section 3.1).
	return f.environ.multithread && !h.Chunked && h.ContentLength <= 0 && !listsToken(h, "upgrade", "h2c")
}

// upgrade serves a request that the form upgrades.
func (x *exchange) upgrade(h *http1.Head) {
	if x.form.asgi {
		x.serveWebSocket(h)
	} else {
		x.serveUpgrade(h)
	}
}

// takeover is a connection that a WSGI application may take over: raw bytes both
// ways, between the client and a socket in the worker.
//
// The worker gets one end of a pair and not the client's own socket: whether that
// blocks is a flag that both would share, TLS can be beneath, and this way the
// gateway knows whether the client has had a byte.
type takeover struct {
	x    *exchange
	ours *os.File
	sent atomic.Int64 // bytes to the client
}

// serveUpgrade dispatches a request with an end of a socket pair beside it. If the
// application writes to that before it answers, the connection is its own until it
// closes it; what it answers then goes nowhere. Else its answer is the response,
// as ever.
func (x *exchange) serveUpgrade(h *http1.Head) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(pair[0], true) // for the runtime's poller
	}
	if err != nil {
		x.gateway.log.Error("connection could not be offered to the application", "error", err)
		x.refuse(errQueueFull)
		return
	}
	t := &takeover{x: x, ours: os.NewFile(uintptr(pair[0]), "upgrade")}
	defer t.ours.Close()
	s := x.submission()
	s.body = os.NewFile(uintptr(pair[1]), "upgrade")
	s.rest = dispatch.AppendLatin1(x.form.append(nil, x.conn, h, &x.origin, 0), "socket")
	x.loop.post(s.enqueue)
	t.await(&s, x.line)
}

// await waits for the application to answer or to write.
func (t *takeover) await(s *submission, line logLine) {
	x := t.x
	begun := make(chan []byte, 1) // what it wrote first; nil if it closed its end before
	go func() {
		first := make([]byte, copyBuffer/4)
		n, _ := t.ours.Read(first) // an end or an error: it wrote nothing
		begun <- first[:n]
	}()
	var first []byte
	ended := false
	select {
	case first = <-begun:
		if len(first) > 0 {
			break
		}
		a := x.await(s.answers)
		if a.isEnd() {
			a = answer{failed: fmt.Errorf("%w: the application neither answered nor took the connection", errBadReply)}
		}
		x.conclude(a, s.answers, s.asked, line)
		return
	case a := <-s.answers:
		if first = t.already(begun); len(first) == 0 {
			if a.isEnd() {
				a = answer{failed: fmt.Errorf("%w: the application neither answered nor took the connection", errBadReply)}
			}
			x.conclude(a, s.answers, s.asked, line)
			return
		}
		a.close()
		ended = true
		t.hurry()
	}
	if !ended {
		go func() {
			a := <-s.answers // the request ends, with a reply or without, or its worker did
			a.close()
			t.hurry()
		}()
	}
	f := x.gateway.figures
	add(&f.Takeovers, 1)
	add(&f.Now.Takeovers, 1)
	t.carry(first)
	add(&f.Now.Takeovers, -1)
	x.keep, x.data = false, nil
	x.remember(first)
	line.log(x.gateway, upgradeStatus(first), t.sent.Load(), x.head)
}

// already returns what the application had written when its answer came, which is
// in the socket or in begun by then.
func (t *takeover) already(begun <-chan []byte) []byte {
	_ = t.ours.SetReadDeadline(time.Now()) // sockets have deadlines
	first := <-begun
	if len(first) > 0 || !t.written() {
		return first
	}
	t.hurry()
	buffer := make([]byte, copyBuffer/4)
	n, _ := t.ours.Read(buffer) // what is there
	return buffer[:n]
}

// written reports whether something can be read of the application.
func (t *takeover) written() bool {
	raw, err := t.ours.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) {
		n, _, _ = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT) // an error: there is nothing
	})
	return err == nil && n > 0
}

// hurry is called when the request has ended.
func (t *takeover) hurry() {
	_ = t.ours.SetReadDeadline(time.Now().Add(maxUpgradeWait)) // it may be closed
}

// carry copies both ways until the application closes its end, or has ended its
// request and said nothing more, or the client cannot be written to.
func (t *takeover) carry(first []byte) {
	x := t.x
	_ = x.sock.SetReadDeadline(time.Time{}) // sockets have deadlines
	if x.gateway.talking.add(t) {
		t.goAway()
	}
	defer x.gateway.talking.remove(t)
	up := make(chan struct{})
	go func() {
		defer close(up)
		t.up()
	}()
	t.down(first)
	_ = t.ours.Close()                     // an application in the middle of a write must learn it
	_ = x.sock.SetReadDeadline(time.Now()) // sockets have deadlines
	<-up
}

// down copies what the application says. What it has said before its request
// ended is read to its end, however slow the client is.
func (t *takeover) down(piece []byte) {
	buffer := make([]byte, copyBuffer/4)
	for t.x.write(piece) {
		t.sent.Add(int64(len(piece)))
		n, err := t.ours.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) && t.written() {
			t.hurry()
			n, err = t.ours.Read(buffer)
		}
		if piece = buffer[:n]; err != nil {
			return
		}
	}
}

// up copies what the client says. Its end becomes the application's end of file.
func (t *takeover) up() {
	client := io.MultiReader(bytes.NewReader(t.x.data), t.x.sock)
	_, err := io.CopyBuffer(struct{ io.Writer }{t.ours}, struct{ io.Reader }{client}, make([]byte, copyBuffer/4))
	if err == nil || errors.Is(err, unix.ECONNRESET) {
		t.goAway()
	}
}

// goAway lets the application read no more, because the client has nothing more to
// say or the gateway drains. What it still writes goes to the client. More cannot
// be done for a protocol that only the application knows.
func (t *takeover) goAway() {
	raw, err := t.ours.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) }) // it may be closed
	}
}

// upgradeStatus is what the application's first bytes say of themselves.
func upgradeStatus(first []byte) int {
	line, found := bytes.CutPrefix(first, []byte("HTTP/1.1 "))
	if found && len(line) >= 3 {
		if status, err := strconv.Atoi(string(line[:3])); err == nil {
			return status
		}
	}
	return 101
}

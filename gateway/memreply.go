package gateway

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A finished body of more than 112 KiB comes in a memfd. If its client takes it as
// fast as it is sent, as most do, the loop sends it and no goroutine is started. What
// the client does not take at once goes on in one: the rest is its to send.

// loopFile is the longest body that the loop sends: others wait while it does, as
// long as copying so much takes.
const loopFile = 256 << 10

// memReply is such a response while it is sent.
type memReply struct {
	fd     int // the memfd; owned
	offset int64
	left   int64 // bytes of the body that were not sent yet
	length int64 // bytes of the body that are to be sent
	head   []byte
	facts  headFacts
	state  asked
	held   reservation
}

// answerFromMemory sends the whole reply in a memfd to its client. It reports false
// if that is not for the loop to do: then nothing has happened. The reader stands
// before the status.
func (l *loop) answerFromMemory(r *request, fd int) bool {
	m := memReply{fd: fd, held: reservation{of: l.gateway.memory}}
	if !l.openMemReply(r, &m) || !m.held.add(m.length) {
		return false
	}
	defer func() { m.held.release(); closeFD(m.fd) }()
	c := r.conn
	head, err := sendHead(c.fd, m.head)
	l.figures.Sent += uint64(head)
	if err == nil && head == len(m.head) {
		err = l.sendMemory(c.fd, &m)
	}
	c.last = !m.state.keep
	l.answered++
	switch {
	case err == unix.EAGAIN, err == unix.EINTR, err == nil && head < len(m.head):
		m.head = m.head[head:]
		l.lendRest(r, &m)
	case err != nil || m.left > 0: // the client left, or the file is shorter than was said
		r.line.finish(l, m.facts.status, m.length-m.left, m.head)
		l.release(r)
		l.close(c)
	default:
		r.line.finish(l, m.facts.status, m.length, m.head)
		l.release(r)
		l.resume(c)
	}
	return true
}

// openMemReply reads a reply up to its end. It reports false if there is anything
// about it that needs more than sending.
func (l *loop) openMemReply(r *request, m *memReply) bool {
	if l.gateway.config.CopyFiles || !sealable(m.fd) {
		return false
	}
	c := r.conn
	m.state = r.asked
	m.state.keep = m.state.keep && !c.ended && (!l.draining || l.gateway.passes(c))
	out, facts, err := appendReplyHead(l.out[:0], &l.reader, l.date.at(l.now), m.state)
	l.out = out[:0]
	if err != nil || facts.bodiless {
		return false
	}
	if n, err := l.reader.Tuple(); err != nil || n != 2 {
		return false
	}
	offset, err1 := l.reader.Int()
	length, err2 := l.reader.Int()
	if err1 != nil || err2 != nil || offset < 0 || length <= 0 || length > loopFile {
		return false
	}
	if facts.length >= 0 && facts.length != length {
		return false // which has to be told
	}
	m.head, m.facts = frame(out, facts, m.state, length), facts
	l.out = m.head[:0]
	m.offset, m.left, m.length = offset, length, length
	return true
}

// sendMemory sends of the body what the client takes now. EAGAIN if that is not all; no
// error, although something is left, if the file ends before.
func (l *loop) sendMemory(fd int, m *memReply) error {
	for m.left > 0 {
		n, err := sendfileFD(fd, m.fd, &m.offset, int(m.left))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		m.left -= int64(n)
		l.figures.Sent += uint64(n)
	}
	return nil
}

// lendRest has a goroutine send what the client did not take. Without a descriptor
// for that the response ends here: too much of it is on its way for another answer.
func (l *loop) lendRest(r *request, m *memReply) {
	c, line := r.conn, r.line
	rest := *m
	rest.head, rest.state = append([]byte(nil), m.head...), m.state.detach()
	file := os.NewFile(uintptr(m.fd), "reply")
	work := func(x *exchange) {
		x.sendRest(&rest, file, line)
		rest.held.release()
		_ = file.Close() // it was only read
	}
	m.fd, m.held.bytes = -1, 0 // the goroutine's, or closed here
	if err := l.lend(c, c.pending, work); err != nil {
		r.line.finish(l, m.facts.status, m.length-m.left, rest.head)
		l.release(r)
		rest.held.release()
		_ = file.Close() // it was only read
		l.close(c)
		return
	}
	r.line.detach() // its memory is the goroutine's
	l.release(r)
	c.request = nil
}

// sendRest ends a response that the loop began.
func (x *exchange) sendRest(m *memReply, file *os.File, line logLine) {
	x.remember(m.head)
	if len(m.head) == 0 || x.write(m.head) {
		sent := x.sendFile(file, m.offset, m.left)
		m.offset += sent
		m.left -= sent
	}
	if m.left > 0 {
		x.broken = true
	}
	x.keep = m.state.keep && !x.broken // a loop that drains sees to it itself
	line.log(x.gateway, m.facts.status, m.length-m.left, x.head)
}

// sealable reports whether a descriptor is a memfd (memfile.go).
func sealable(fd int) bool {
	_, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GET_SEALS, 0)
	return errno == 0
}

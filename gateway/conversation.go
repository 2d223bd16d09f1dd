package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

const (
	// inlineMessage is the largest message of a conversation that travels in a
	// datagram; larger ones go in a memfd beside it (docs/protocol.md).
	inlineMessage = 64 << 10
	keepBuffer    = 16 << 10 // memory for messages that is kept for the next

	// closeTime is how long a client has to answer a close frame.
	closeTime = 5 * time.Second
)

// conversation is a WebSocket between a client and its application. Where that can be a
// loop has it, as a smallTalk; else, and while it is about more, two goroutines:
//
//	listen (a goroutine):     client ──frames──▶ in ──message──▶ worker
//	speak (the exchange's):   client ◀──frames── out ◀──message── worker
//
// Each side waits for the one it gives to, and takes nothing meanwhile: a slow
// application stops the reading from the client, a slow client the reading from
// the application. So the conversation holds one message in each direction at
// most: up to 64 KiB in this process, beyond in a memfd.
type conversation struct {
	x      *exchange
	worker *dispatch.Channel
	in     *websocket.Reader
	out    clientWriter
	pulse  pulse
	buffer []byte // of listen

	ground ground
	rest   *smallTalk   // what the loop left to be done, or nil
	calm   atomic.Int32 // messages of the client since something was not for a loop

	telling sync.Mutex
	told    bool // the application knows that it is over: no message follows
}

func newConversation(x *exchange, worker *dispatch.Channel, deflate bool) *conversation {
	v := &conversation{x: x, worker: worker}
	var pool *websocket.Pool
	if deflate {
		pool = &x.gateway.deflate
	}
	v.out = clientWriter{sock: x.sock, patience: x.patience, turn: make(chan struct{}, 1), deflate: pool}
	return v
}

// run returns when the conversation has ended on both sides.
func (v *conversation) run() {
	stop := v.keepAlive(v.x.gateway.config.WebSocket)
	for ended := false; !ended; {
		v.smallTalk()
		ended = v.talkAtLength()
	}
	stop()
}

// talkAtLength has goroutines carry the conversation, to its end or until it is one for
// a loop again.
func (v *conversation) talkAtLength() (ended bool) {
	begin := bytes.NewReader(v.x.data)
	client := io.MultiReader(begin, fromClient{v})
	v.in = websocket.NewReader(client, v.x.gateway.config.WebSocket.MaxSize, v.out.deflate, v.control)
	v.calm.Store(0)
	listening := make(chan bool)
	go func() { listening <- v.listen() }()
	v.resume()
	v.speak()
	if ended = <-listening; !ended {
		unread := v.x.data[len(v.x.data)-begin.Len():]
		v.x.data = append(bytes.Clone(v.in.Buffered()), unread...)
		_ = v.worker.Resume() // it may be closed, and then says so
	}
	return ended
}

// errCalm ends the listening of the goroutines, not the conversation.
var errCalm = errors.New("a loop can have it")

// note counts what passed and was for a loop, or was not: a file, or what takes long to
// compress.
func (v *conversation) note(size int) {
	if size > inlineMessage || v.out.deflate != nil && size > loopPacked {
		v.calm.Store(0)
	}
}

// fromClient reads from the socket and notes that the client lives.
type fromClient struct{ v *conversation }

func (r fromClient) Read(p []byte) (int, error) {
	n, err := r.v.x.sock.Read(p)
	if n > 0 {
		r.v.pulse.felt()
	}
	return n, err
}

// control acts on a ping or pong. That the client lives was noted already.
func (v *conversation) control(op websocket.Opcode, payload []byte) error {
	if op == websocket.Ping {
		v.out.pong(payload)
	}
	return nil
}

// listen passes the client's messages on, and at the end tells both sides why it
// is one. It reports false if there is no end, but a loop can go on; speak ends then, too.
func (v *conversation) listen() (ended bool) {
	err := v.hear()
	if err == errCalm {
		_ = v.worker.Interrupt() // it may be closed, and then says so
		return false
	}
	code, reason := websocket.CodeAbnormal, ""
	var closed *websocket.Closed
	var broken *websocket.Error
	switch {
	case errors.As(err, &closed):
		code, reason = closed.Code, closed.Reason
		v.out.close(code, "")
	case errors.As(err, &broken):
		code, reason = broken.Code, broken.Reason
		v.out.close(code, reason)
	case errors.Is(err, errSpool):
		v.x.gateway.log.Error("message could not be stored", "error", err)
		code = websocket.CodeInternalError
		v.out.close(code, "")
	default: // the client is gone, or the application is
		v.out.abandon()
	}
	v.tell(code, reason)
	// From here on what the application sends fails at once.
	_ = v.worker.Close()
	return true
}

// hear returns the error that ends the listening.
func (v *conversation) hear() error {
	for {
		kind, err := v.in.Next()
		if err != nil {
			return err
		}
		verb := "bytes"
		if kind == websocket.Text {
			verb = "text"
		}
		if err := v.forward(verb); err != nil {
			return err
		}
		if _, direct := v.x.sock.(plain); direct && v.calm.Add(1) >= calmAfter {
			return errCalm
		}
	}
}

// forward reads the message that has begun and gives it to the application.
func (v *conversation) forward(verb string) error {
	b := v.buffer[:0]
	defer func() {
		if cap(b) <= keepBuffer {
			v.buffer = b
		} else {
			v.buffer = nil
		}
	}()
	for len(b) <= inlineMessage {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(max(2*cap(b), 512), inlineMessage+1)), b...)
		}
		n, err := v.in.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	v.note(len(b))
	if len(b) > inlineMessage {
		return v.forwardFile(verb, b)
	}
	if verb == "text" {
		return v.give(dispatch.Tuple{verb, string(b)}, -1)
	}
	return v.give(dispatch.Tuple{verb, b}, -1)
}

// forwardFile puts a message into a memfd, of which begin was read already.
func (v *conversation) forwardFile(verb string, begin []byte) error {
	file, err := memoryFile("indrik-message")
	if err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	defer file.Close()
	if _, err := file.Write(begin); err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	for {
		n, err := v.in.Read(begin[:cap(begin)])
		if _, failed := file.Write(begin[:n]); failed != nil {
			return fmt.Errorf("%w: %w", errSpool, failed)
		}
		if err == io.EOF {
			return v.give(dispatch.Tuple{verb, nil}, int(file.Fd()))
		}
		if err != nil {
			return err
		}
	}
}

// memoryFile is a file without a name and without a disk.
func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// give sends a message to the application and waits as long as that takes. After
// the end was told there is no one to give it to. The content may be in a file, else
// that is -1: the worker looks for a descriptor only where one was announced.
func (v *conversation) give(m dispatch.Tuple, file int) error {
	v.pulse.hold()
	defer v.pulse.felt() // we did not listen; the client is not to blame
	v.telling.Lock()
	defer v.telling.Unlock()
	if v.told {
		return nil
	}
	err := v.worker.Send(m)
	if err == nil && file >= 0 {
		err = v.worker.Send(dispatch.Tuple{"file"}, file)
	}
	if errors.Is(err, unix.EPIPE) {
		return nil // speak reads its end of file and says why the conversation ends
	}
	return err
}

// tell is the last word to the application, if it has not had one. One that takes
// no messages gets it when it does, or its end of file.
func (v *conversation) tell(code int, reason string) {
	v.worker.SetSendTimeout(v.x.patience)
	v.telling.Lock()
	defer v.telling.Unlock()
	if !v.told {
		v.told = true
		_ = v.worker.Send(dispatch.Tuple{"disconnect", int64(code), reason}) // it may be gone itself
	}
}

// goAway ends the conversation because the gateway does.
func (v *conversation) goAway() {
	v.recall()
	v.out.close(websocket.CodeRestart, "")
	v.awaitClose()
	v.tell(websocket.CodeRestart, "")
}

// awaitClose gives the client a while to answer our close frame.
func (v *conversation) awaitClose() {
	_ = v.x.sock.SetReadDeadline(time.Now().Add(closeTime)) // sockets have deadlines
}

// speak sends what the application says, until it or the listening ends.
func (v *conversation) speak() {
	for {
		m, fds, err := v.worker.ReceiveRaw()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return // listen has called it off
			}
			if !errors.Is(err, os.ErrClosed) && !errors.Is(err, io.EOF) {
				v.x.gateway.log.Error("conversation could not be read", "error", err)
			}
			// Without a close of its own the application failed, or was killed.
			v.out.close(websocket.CodeInternalError, "")
			v.awaitClose()
			return
		}
		v.act(m, fds)
	}
}

// act obeys one message of the application, or ends the conversation. It closes fds.
func (v *conversation) act(msg []byte, fds []int) {
	err := v.obey(msg, fds)
	closeFDs(fds)
	switch {
	case err == nil:
	case errors.Is(err, errClientLeft):
		_ = v.x.sock.SetReadDeadline(time.Now()) // listen tells the application
	default:
		v.x.gateway.log.Error("message refused", "error", err)
		v.out.close(websocket.CodeInternalError, "")
		v.awaitClose()
	}
}

// obey does what one message of the application says.
func (v *conversation) obey(msg []byte, fds []int) error {
	m, err := readMessage(new(dispatch.Reader), msg)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errBadReply, err)
	case m.verb == "close":
		v.out.close(m.code, m.reason)
		v.awaitClose()
		return nil
	case m.data != nil:
		v.note(len(m.data))
		return v.out.message(m.op, m.data)
	case len(fds) != 1:
		return fmt.Errorf("%w: a message without content", errBadReply)
	}
	v.calm.Store(0)
	file := os.NewFile(uintptr(fds[0]), "message")
	fds[0] = -1 // it is the file's now
	defer file.Close()
	return v.out.file(m.op, file)
}

// pulse is the client's sign of life, on CLOCK_MONOTONIC.
type pulse struct {
	last atomic.Int64 // when bytes came last; held while we do not listen
}

const held = -1

func (p *pulse) felt() { p.last.Store(dispatch.Monotonic()) }
func (p *pulse) hold() { p.last.Store(held) }

// since reports whether the client has shown life since then, or could not.
func (p *pulse) since(then int64) bool {
	last := p.last.Load()
	return last == held || last >= then
}

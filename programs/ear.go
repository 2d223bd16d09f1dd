package programs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/proc"
)

// unheard bounds the notifications of one worker that wait for the master. A worker
// that sends more waits, as everybody does whose service manager is busy.
const unheard = 16

// ear is the NOTIFY_SOCKET of one worker: a datagram socket in the abstract
// namespace with a name that nobody can guess. A sender is believed if it is the
// worker's process or descends from it.
type ear struct {
	address string // as NOTIFY_SOCKET says it
	conn    *net.UnixConn
	room    chan struct{} // a token for each notification that the master has not taken
}

func newEar() (*ear, error) {
	address := "@indrik-" + rand.Text()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("open a notify socket: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		var failed error
		err = raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
		})
		err = errors.Join(err, failed)
	}
	if err != nil {
		_ = conn.Close() // never used
		return nil, fmt.Errorf("ask for the senders of notifications: %w", err)
	}
	return &ear{address: address, conn: conn, room: make(chan struct{}, unheard)}, nil
}

// listen posts what w sends until the end of finish is heard, or the socket is
// closed. complain is told of datagrams that mean nothing.
func (e *ear) listen(w *worker, post func(fact), complain func(sender int, err error)) {
	defer func() { post(workerQuiet{w}) }()
	text := make([]byte, activation.MaxNotification+1)
	rights := make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*activation.MaxNotificationFDs))
	for {
		n, r, flags, _, err := e.conn.ReadMsgUnix(text, rights)
		if err != nil {
			return // closed
		}
		sender, fds := credentials(rights[:r])
		switch {
		case sender == os.Getpid():
			closeAll(fds)
			return // finish
		case sender != w.pid && !proc.Descends(sender, w.pid):
			closeAll(fds)
			complain(sender, errors.New("the sender is neither the worker nor a descendant of it that lives"))
			continue
		case n > activation.MaxNotification || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
			closeAll(fds)
			complain(sender, fmt.Errorf("longer than %d bytes, or with too many descriptors", activation.MaxNotification))
			continue
		}
		said, err := parseNotice(string(text[:n]))
		if err != nil {
			complain(sender, err)
		}
		said.fds = fds
		e.room <- struct{}{}
		post(workerSaid{w, said})
	}
}

// taken makes room for one more notification.
func (e *ear) taken() { <-e.room }

// finish makes listen end when it has read all that was sent before. It does not
// wait; a queue that is full is an error, and then it is called again.
func (e *ear) finish() error {
	if err := e.conn.SetWriteDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return err
	}
	_, err := e.conn.WriteToUnix(nil, &net.UnixAddr{Name: e.address, Net: "unixgram"})
	return err
}

func (e *ear) close() { _ = e.conn.Close() } // datagrams: nothing is buffered

// credentials reads who sent a datagram, 0 if that is not known, and what came with
// it.
func credentials(rights []byte) (sender int, fds []int) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return 0, nil
	}
	for i := range messages {
		if who, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			sender = int(who.Pid)
		}
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return sender, fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd) // somebody else's file; nothing of ours is lost
	}
}

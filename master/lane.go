package master

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

const (
	// laneBeat makes an idle worker's receive return, so that it can beat, unless
	// a short timeout wants more beats (beatFor).
	laneBeat = time.Second
	// laneBuffer is the memory wanted for requests on their way. The kernel
	// grants less (net.core.wmem_max) to those who may not force it.
	laneBuffer = 4 << 20
	// replyBuffer is the same for the replies of a worker to one loop: some of those that
	// are just short of a file. A worker that finds no room waits for the gateway each time.
	replyBuffer = 1 << 20
)

// lane is the socket pair through which the workers of a generation take
// requests, or one of them if it has a lane of its own. The master keeps both ends, so that gateway and workers can die
// without the other side noticing.
type lane struct {
	gateway int // requests are written here
	workers int // and read here
}

// newLane makes a lane for workers to share, in which an idle one wakes after beat.
func newLane(beat time.Duration) (lane, error) {
	l, err := newOwnLane()
	if err != nil {
		return lane{}, err
	}
	wake := unix.NsecToTimeval(int64(beat))
	if err := unix.SetsockoptTimeval(l.workers, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wake); err != nil {
		l.close()
		return lane{}, fmt.Errorf("set the lane's beat: %w", err)
	}
	return l, nil
}

// newOwnLane makes a lane for one worker, which waits for requests and its
// beat in its own way.
func newOwnLane() (lane, error) {
	gateway, workers, err := dispatch.SocketPair()
	if err != nil {
		return lane{}, fmt.Errorf("make a lane: %w", err)
	}
	widen(gateway, laneBuffer)
	return lane{gateway, workers}, nil
}

// widen gives a socket memory for what is on its way from it, in bytes.
func widen(fd, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size) != nil {
		// Not privileged: what the kernel grants to everybody must do.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size)
	}
}

func (l lane) close() { closeAll([]int{l.gateway, l.workers}) }

// closeGateway closes the gateway's end alone.
func (l *lane) closeGateway() {
	closeAll([]int{l.gateway})
	l.gateway = -1
}

// clearLanes throws away what a dead gateway left in the lanes.
func (g *generation) clearLanes() (stale int) {
	stale = g.lane.clear()
	for _, w := range g.workers {
		if w.own != nil {
			stale += w.own.clear()
		}
	}
	return stale
}

// clear throws away every request that waits in the lane and returns how many
// there were. It is called when a gateway has died: its clients went with it,
// and the workers would answer to nobody.
func (l lane) clear() (stale int) {
	var head [1]byte // the rest of a datagram goes with its first byte
	control := make([]byte, unix.CmsgSpace(dispatch.MaxFDs*4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(l.workers, head[:], control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 { // EAGAIN: empty
			return stale
		}
		closeAll(passed(control[:oobn]))
		stale++
	}
}

// passed returns the descriptors in a control message.
func passed(control []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

// closeAll closes descriptors that nothing is written to any more, so that no
// close has anything to report.
func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = syscall.Close(fd)
		}
	}
}

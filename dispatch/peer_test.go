package dispatch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// startPeer starts testdata/peer.py with its end as descriptor 3.
func startPeer(t *testing.T) (*Channel, *exec.Cmd) {
	t.Helper()
	noLeak(t)
	cmd := python(t, "testdata/peer.py")
	ours, theirs := socketPair(t)
	c := newChannel(t, ours)
	file := os.NewFile(uintptr(theirs), "peer")
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close() // a test may have closed it; end of file is its order to leave
		if err := cmd.Wait(); err != nil || complaints.Len() > 0 {
			t.Errorf("peer ended: %v\n%s", err, complaints.String())
		}
	})
	return c, cmd
}

// The other end is Python, as in the product: messages and descriptors pass.
func TestChannelToPython(t *testing.T) {
	c, _ := startPeer(t)
	for _, v := range sample() {
		send(t, c, Tuple{"echo", v})
		wantMessage(t, c, Tuple{"echoed", v})
	}
	fds, read := copies(t, MaxFDs)
	send(t, c, Tuple{"write", []byte("hello")}, fds[0])
	wantMessage(t, c, Tuple{"wrote", int64(5)})
	got := make([]byte, 5)
	if _, err := io.ReadFull(read, got); err != nil || string(got) != "hello" {
		t.Errorf("through the descriptor came %q, %v", got, err)
	}
	send(t, c, Tuple{"echo"}, fds...)
	back := wantMessage(t, c, Tuple{"echoed"})
	if len(back) != MaxFDs {
		t.Errorf("%d descriptors came back, want %d", len(back), MaxFDs)
	}
	closeAll(back)
}

// A stopped process (SIGSTOP, a debugger, a frozen cgroup) must not hold up the
// master; when it goes on, it has lost nothing that was accepted.
func TestStoppedPeer(t *testing.T) {
	c, cmd := startPeer(t)
	send(t, c, Tuple{"echo"})
	wantMessage(t, c, Tuple{"echoed"}) // it runs
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Whether it stops before it reads the first messages does not matter.
	n := fill(t, c)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Error("nothing could be sent to a stopped process")
	}
	c.SetSendTimeout(limit)
	send(t, c, Tuple{"echo", "after"})
	wantMessage(t, c, Tuple{"echoed", "after"})
}

// The end of a process is the end of its channel.
func TestPeerThatLeaves(t *testing.T) {
	c, _ := startPeer(t)
	send(t, c, Tuple{"leave"})
	if _, _, err := receive(t, c); !errors.Is(err, io.EOF) {
		t.Errorf("Receive: %v, want io.EOF", err)
	}
	if err := c.Send(Tuple{"echo"}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Send: %v, want EPIPE", err)
	}
}

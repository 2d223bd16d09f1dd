package e2e

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Nobody may notice that the service comes and goes: clients connect at any moment
// around its exits, and each gets its answer, of this process or of the next.
func TestAnIdleServiceExits(t *testing.T) {
	t.Parallel()
	const clients = 10
	file, address := listening(t, "tcp", "127.0.0.1:0")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range clients {
			ask(t, "tcp", address, "/", "hello")
			// Around the moment at which the service leaves: that is what is tested.
			time.Sleep(200*time.Millisecond + rand.N(1000*time.Millisecond))
		}
	}()
	starts, answered := 0, false
	for !answered {
		if starts++; starts > clients+1 {
			t.Fatalf("%d starts for %d clients", starts, clients)
		}
		s := serve(t, launch{app: "plain", args: []string{"--idle-exit", "0.3"}, sockets: []*os.File{file}})
		s.expect(0)
		s.stderr.await(t, 1, "[INFO]", "stopping:", `reason="idle for 300ms; the next connection starts the service again"`)
		// What systemd does: it waits for the next client, with nothing running.
		for answered = false; !answered && !readable(t, file); {
			select {
			case <-done:
				answered = true
			default:
			}
		}
	}
	if starts < 3 {
		t.Errorf("%d starts: the service hardly ever was idle, so nothing was shown", starts)
	}
}

// readable waits a moment for a client in the accept queue.
func readable(t *testing.T, file *os.File) bool {
	t.Helper()
	conn, err := file.SyscallConn() // Fd would make the socket blocking for everybody
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := conn.Control(func(fd uintptr) {
		n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 50) // EINTR: the next call knows
	}); err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// A connection that is open keeps the service, whether it asks for something or not;
// and systemd is told why the service goes.
func TestAnOpenConnectionIsNotIdle(t *testing.T) {
	t.Parallel()
	file, address := listening(t, "tcp", "127.0.0.1:0")
	dir, err := os.MkdirTemp("", "idle") // short: the path must fit sockaddr_un
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	s := serve(t, launch{
		app: "plain", args: []string{"--idle-exit", "0.5"}, sockets: []*os.File{file}, env: []string{"NOTIFY_SOCKET=" + filepath.Join(dir, "n")},
	})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := speak(t, conn)
	c.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello")
	select {
	case <-s.ended:
		t.Fatal("the service ended under a client")
	case <-time.After(1500 * time.Millisecond): // three times idle_exit
	}
	c.ask("GET /sleep/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET", 200, "hello")
	_ = conn.Close()
	s.expect(0)
	if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 8192)
	for {
		n, err := manager.Read(buffer)
		if err != nil {
			t.Fatalf("systemd was not told that the service stops: %v", err)
		}
		if text := string(buffer[:n]); strings.Contains(text, "STOPPING=1") {
			if !strings.Contains(text, "STATUS=idle for 500ms; the next connection starts the service again") {
				t.Errorf("got %q, want the reason in it", text)
			}
			return
		}
	}
}

// Where nobody would start the service again, it must not go.
func TestIdleExitNeedsSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	s := start(t, launch{app: "plain", args: []string{"--idle-exit", "60"}})
	s.allow("idle_exit needs")
	s.expect(1)
	s.stderr.await(t, 1, "idle_exit needs all listeners to be sockets of systemd", "127.0.0.1:", "is bound by Indrik")
}

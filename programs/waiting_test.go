package programs

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/internal/testproc"
)

// listener is a blocking socket that listens, and its inode.
func listener(t *testing.T) (*os.File, map[uint64]bool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close() // the file has its own
	t.Cleanup(func() { _ = file.Close() })
	if err := unix.SetNonblock(int(file.Fd()), false); err != nil {
		t.Fatal(err)
	}
	inodes := inodesOf([]int{int(file.Fd())})
	if len(inodes) != 1 {
		t.Fatalf("inodes %v, want one", inodes)
	}
	return file, inodes
}

// Whoever waits for connections is seen, however that is done; whoever waits for
// something else is not taken for it.
func TestAccepting(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"accepts", "polls", "selects", "epolls"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			file, inodes := listener(t)
			cmd := testproc.Start(t, part, file)
			limit := time.Now().Add(20 * time.Second)
			for !accepting(cmd.Process.Pid, inodes) {
				if time.Now().After(limit) {
					t.Fatal("not seen to wait for connections")
				}
				time.Sleep(5 * time.Millisecond) // what another process does has no event for us
			}
			if accepting(cmd.Process.Pid, map[uint64]bool{1: true}) {
				t.Error("seen to wait on a socket that it does not have")
			}
		})
	}
	for _, part := range []string{"only-holds-it", "polls-another", "epolls-writing"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			file, inodes := listener(t)
			cmd := testproc.Start(t, part, file)
			for range 20 {
				if accepting(cmd.Process.Pid, inodes) {
					t.Fatal("seen to wait for connections")
				}
				time.Sleep(10 * time.Millisecond) // for something not to happen there is no event
			}
		})
	}
	if accepting(1<<23, map[uint64]bool{1: true}) {
		t.Error("a process that does not exist waits for connections")
	}
}

func TestWatches(t *testing.T) {
	t.Parallel()
	inodes := map[uint64]bool{0x8d21: true}
	for line, want := range map[string]bool{
		"tfd:        5 events:       1d data:                5  pos:0 ino:8d21 sdev:8\n": true,
		"tfd:        5 events: 80002019 data: 5 pos:0 ino:8d21 sdev:8\n":                 true,
		"tfd:        5 events:       1c data: 5 pos:0 ino:8d21 sdev:8\n":                 false, // not EPOLLIN
		"tfd:        5 events:       1d data: 5 pos:0 ino:8d22 sdev:8\n":                 false,
		"pos:	0\n":       false,
		"tfd:":           false,
		"tfd: 5 events:": false,
	} {
		if got := watches(line, inodes); got != want {
			t.Errorf("%q: got %t, want %t", line, got, want)
		}
	}
}

// The shim waits until it may go on, tells the program its own number, changes its mask,
// and closes the socket by becoming it.
func TestBecome(t *testing.T) {
	t.Parallel()
	report, theirs, err := newReport()
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	said, mouth, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := testproc.Start(t, "becomes", theirs, mouth)
	_ = theirs.Close() // the part has its own
	_ = mouth.Close()
	if _, err := report.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(report); err != nil || len(text) > 0 {
		t.Errorf("it reported %q, %v; want only the end of file", text, err)
	}
	text, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(text))
	if len(words) != 4 || words[0] != words[1] || words[2] != words[1] || words[3] != "0027" {
		t.Errorf("the program found %q, want its own number three times and the mask", text)
	}
	_ = cmd.Wait() // the end of the test looks at the rest
}

// Without its master a shim becomes nothing: nobody would ever end it.
func TestBecomeWithoutAMaster(t *testing.T) {
	t.Parallel()
	report, theirs, err := newReport()
	if err != nil {
		t.Fatal(err)
	}
	said, mouth, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd := testproc.Start(t, "becomes", theirs, mouth)
	_ = theirs.Close() // the part has its own
	_ = mouth.Close()
	_ = report.Close()
	if text, err := io.ReadAll(said); err != nil || len(text) > 0 {
		t.Errorf("the program said %q, %v; want none", text, err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != StatusExec {
		t.Errorf("it ended with %v, want status %d", err, StatusExec)
	}
}

func TestBecomeRefusesWhatTheMasterNeverSays(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"4", "-", "/bin/true"}, {"x", "-", "/bin/true", "true"}, {"2", "-", "/bin/true", "true"}} {
		if err := Become(args, nil, 1); err == nil || !strings.Contains(err.Error(), ShimCommand) {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

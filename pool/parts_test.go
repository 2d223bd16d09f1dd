package pool

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/indrik/indrik/internal/testproc"
)

// The gallery: one part for each way a worker can go wrong. A part tells the
// test what it does by single bytes on its first file.
const (
	saysReady = 'R'
	saysBeat  = 'b'
	saysBusy  = 'B'
)

func TestMain(m *testing.M) {
	testproc.Main(m, testproc.Parts{
		"serves":            serves,
		"dies-first":        func() int { return 3 },
		"never-ready":       func() int { select {} },
		"leaves-as-told":    leavesAsTold,
		"deaf-to-retire":    deafToRetire,
		"beats-but-hangs":   beatsButHangs,
		"stops-beating":     stopsBeating,
		"forks-and-leaves":  forksAndLeaves,
		"outlives-its-fork": outlivesItsFork,
	})
}

// tell writes one byte to the test.
func tell(file *os.File, what byte) {
	if _, err := file.Write([]byte{what}); err != nil {
		os.Exit(9) // the test is gone
	}
}

// beat tells a sign of life now and then, until something arrives on stop.
func beat(file *os.File, stop <-chan os.Signal) {
	for {
		tell(file, saysBeat)
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// serves is a good worker.
func serves() int {
	retired := make(chan os.Signal, 1)
	signal.Notify(retired, syscall.SIGTERM)
	file := testproc.File(0)
	tell(file, saysReady)
	beat(file, retired)
	return 0
}

// leavesAsTold becomes ready and ends with the status it is sent.
func leavesAsTold() int {
	tell(testproc.File(0), saysReady)
	var status [1]byte
	if _, err := testproc.File(1).Read(status[:]); err != nil {
		return 9
	}
	return int(status[0])
}

func deafToRetire() int {
	signal.Ignore(syscall.SIGTERM)
	file := testproc.File(0)
	tell(file, saysReady)
	beat(file, nil)
	return 0
}

// beatsButHangs takes a request and never returns it.
func beatsButHangs() int {
	file := testproc.File(0)
	tell(file, saysReady)
	tell(file, saysBusy)
	beat(file, nil)
	return 0
}

// stopsBeating is ready, beats once, and hangs.
func stopsBeating() int {
	file := testproc.File(0)
	tell(file, saysReady)
	tell(file, saysBeat)
	select {}
}

// forksAndLeaves leaves a child behind, which its own parent's parent gets.
func forksAndLeaves() int {
	child, err := testproc.Fork("outlives-its-fork", testproc.File(0))
	if err != nil {
		return 9
	}
	_ = child.Release() // somebody else will reap it
	return 0
}

func outlivesItsFork() int {
	tell(testproc.File(0), saysReady)
	select {}
}

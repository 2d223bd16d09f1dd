package master

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/internal/fdcheck"
)

// What a dead gateway left in the lane would cost workers time for answers that
// nobody reads, and its descriptors would stay open in the queue.
func TestLaneClearTakesEverything(t *testing.T) {
	fdcheck.NoLeak(t)
	l, err := newLane(laneBeat)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if got := l.clear(); got != 0 {
		t.Errorf("an empty lane: cleared %d, want 0", got)
	}
	body, err := os.CreateTemp(t.TempDir(), "body")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	for i := range 5 {
		var beside []byte
		if i%2 == 0 {
			beside = unix.UnixRights(int(body.Fd()))
		}
		if err := unix.Sendmsg(l.gateway, []byte("request"), beside, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.clear(); got != 5 {
		t.Errorf("cleared %d, want 5", got)
	}
	if got := l.clear(); got != 0 {
		t.Errorf("then cleared %d, want 0", got)
	}
}

// Without the timeout an idle worker could not beat, and would be killed.
func TestLaneHasABeat(t *testing.T) {
	l, err := newLane(laneBeat)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	got, err := unix.GetsockoptTimeval(l.workers, unix.SOL_SOCKET, unix.SO_RCVTIMEO)
	if err != nil || got.Nano() != int64(laneBeat) {
		t.Errorf("SO_RCVTIMEO: got %v, %v; want %v", got, err, laneBeat)
	}
}

func TestApplicationEnvironment(t *testing.T) {
	got := applicationEnv(
		[]string{"PATH=/bin", "NOTIFY_SOCKET=/run/x", "LISTEN_FDS=1", "A=inherited"},
		[]string{"A=1", "B=2", "B=3"},
	)
	want := []string{"PATH=/bin", "A=1", "B=3"}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

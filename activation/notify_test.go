package activation

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/indrik/indrik/internal/fdcheck"
	"golang.org/x/sys/unix"
)

// One event is one datagram with exactly these bytes, in the order of the
// calls, over a path and over the abstract namespace.
func TestEventsAreSingleDatagrams(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "@"} {
		m := manage(t, prefix+in(temp(t), "notify"))
		n := m.notifier(t)
		for _, c := range []struct {
			err  error
			want string
		}{
			{n.Status("booting 1 of 4 workers"), "STATUS=booting 1 of 4 workers"},
			{n.ExtendTimeout(1500 * time.Millisecond), "EXTEND_TIMEOUT_USEC=1500000"},
			{n.Ready("serving"), "READY=1\nSTATUS=serving"},
			{n.Ready(""), "READY=1"},
			{n.Watchdog(), "WATCHDOG=1"},
			{n.Reloading(12345678*time.Microsecond+999, "reloading"), "RELOADING=1\nMONOTONIC_USEC=12345678\nSTATUS=reloading"},
			{n.MainPID(4711), "MAINPID=4711"},
			{n.Errno(int(unix.EADDRINUSE)), "ERRNO=98"},
			{n.TriggerWatchdog(), "WATCHDOG=trigger"},
			{n.Stopping("draining"), "STOPPING=1\nSTATUS=draining"},
			{n.Status(""), "STATUS="},
			{n.Remove("state"), "FDSTOREREMOVE=1\nFDNAME=state"},
			{n.Send("ERRNO=5", "STATUS=no\ndisk", "X_INDRIK_GENERATION=2"), "ERRNO=5\nSTATUS=no disk\nX_INDRIK_GENERATION=2"},
		} {
			if c.err != nil {
				t.Fatal(c.err)
			}
			m.expects(t, c.want)
		}
	}
}

// Without a service manager nothing is said, and nothing fails, so that the
// callers need not ask.
func TestNoManager(t *testing.T) {
	t.Parallel()
	n, err := NewNotifier(env())
	if n != nil || err != nil || n.Enabled() {
		t.Fatalf("got %v, %v; want nil, nil", n, err)
	}
	for _, err := range []error{
		n.Ready("x"), n.Status("x"), n.Stopping("x"), n.Reloading(1, "x"), n.Watchdog(), n.TriggerWatchdog(),
		n.ExtendTimeout(0), n.MainPID(0), n.Errno(0), n.Store(""), n.Remove(""), n.Barrier(t.Context()),
		n.Send(), n.SendFDs(nil), n.Close(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestNotifySocketThatMakesNoSense(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"vsock:2:1234", "VSOCK is not supported"},
		{"vsock-stream:2:1234", "VSOCK is not supported"},
		{"run/notify", "neither an absolute path nor @NAME"},
		{"@", "neither"},
		{"/", "neither"},
		{"/" + strings.Repeat("x", maxPath), "a socket address has 107"},
	} {
		n, err := NewNotifier(env("NOTIFY_SOCKET=" + c.text))
		if n != nil {
			t.Errorf("%q: got a notifier", c.text)
		}
		contains(t, err, "NOTIFY_SOCKET=", c.want)
	}
}

// systemd throws away what is too long, so it must be an error here; but a
// status is for people and is cut.
func TestLengthOfNotifications(t *testing.T) {
	t.Parallel()
	m := manage(t, in(temp(t), "notify"))
	n := m.notifier(t)
	fits := "X_A=" + strings.Repeat("x", MaxNotification-len("X_A="))
	if err := n.Send(fits); err != nil {
		t.Fatal(err)
	}
	m.expects(t, fits)
	contains(t, n.Send(fits+"x"), "1 bytes too many", "at most 4096")
	contains(t, n.Send(fits, "STATUS="), "bytes too many")

	for _, text := range []string{strings.Repeat("x", 5000), strings.Repeat("é", 5000), strings.Repeat("\xffa", 5000), strings.Repeat("木 ", 1<<20)} {
		if err := n.Ready(text); err != nil {
			t.Fatal(err)
		}
		got := m.next(t).text
		if len(got) > MaxNotification || len(got) < MaxNotification-utf8.UTFMax {
			t.Errorf("%d bytes, want nearly all of %d", len(got), MaxNotification)
		}
		if !utf8.ValidString(got) || !strings.HasPrefix(got, "READY=1\nSTATUS=") || !strings.HasSuffix(got, "…") {
			t.Errorf("cut to %q…%q", got[:20], got[len(got)-20:])
		}
	}
}

// One line break in a status would make the rest of a traceback assignments,
// and one invalid byte makes systemd drop it.
func TestStatusIsOneValidLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"plain", "plain"},
		{"two\nlines", "two lines"},
		{"a\r\n\tb\x00c\x1b[0m\u0085d ", "a b c [0m d"},
		{"x\nMAINPID=1", "x MAINPID=1"},
		{"bad \xff byte", "bad \uFFFD byte"},
		{"\n", ""},
	} {
		if got := oneLine(c.text, MaxNotification); got != c.want {
			t.Errorf("%q became %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzStatus(f *testing.F) {
	f.Add("a\nb", 3)
	f.Add("\xffé…", 4)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 0 {
			return
		}
		got := oneLine(text, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x00") {
			t.Fatalf("%q in %d bytes became %q", text, limit, got)
		}
	})
}

func TestNonsenseIsNotSent(t *testing.T) {
	t.Parallel()
	m := manage(t, in(temp(t), "notify")) // and complains of what comes
	n := m.notifier(t)
	for _, c := range []struct {
		err  error
		want string
	}{
		{n.Send(), "nothing to say"},
		{n.Send("READY"), "write KEY=value"},
		{n.Send("=1"), "write KEY=value"},
		{n.Send(""), "write KEY=value"},
		{n.Send("READY=1\nMAINPID=1"), "a line break or NUL"},
		{n.Send("X_A=\x00"), "a line break or NUL"},
		{n.Send("STATUS=a", "STATUS=b\nMAINPID=1"), "a line break or NUL"},
		{n.ExtendTimeout(0), "a microsecond or more"},
		{n.MainPID(1), "not a process that can be one"},
		{n.Errno(0), "a number from errno(3)"},
		{n.Store("name"), "none given"},
		{n.Store("", 1), "use 1 to 255"},
		{n.Store(strings.Repeat("x", 256), 1), "use 1 to 255"},
		{n.Store("a:b", 1), "without colons"},
		{n.Store("a\nb", 1), "printable ASCII"},
		{n.Remove("ä"), "printable ASCII"},
		{n.SendFDs(make([]int, 254), "FDSTORE=1"), "254 descriptors"},
		{n.SendFDs([]int{-1}, "FDSTORE=1"), "bad file descriptor"},
	} {
		contains(t, c.err, c.want)
	}
}

// A manager that stopped reading must not hold the master's loop for ever, and
// when it reads again the next notification arrives.
func TestStuckManager(t *testing.T) {
	t.Parallel()
	address := in(temp(t), "notify")
	fd := open(unix.AF_UNIX, unix.SOCK_DGRAM, 0)(t)
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		t.Fatal(err)
	}
	n, err := newNotifier(address, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	start := time.Now()
	for err == nil && time.Since(start) < patience {
		err = n.Watchdog()
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("error is %v, want EAGAIN inside", err)
	}
	contains(t, err, "notify "+address+": ")
	if took := time.Since(start); took > patience/2 {
		t.Errorf("it took %v to give up", took)
	}
	if _, err := unix.Read(fd, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := n.Watchdog(); err != nil {
		t.Errorf("after the manager read again: %v", err)
	}
}

// systemd makes its socket anew when it executes itself again.
func TestManagerComesBack(t *testing.T) {
	t.Parallel()
	address := in(temp(t), "notify")
	n, err := NewNotifier(env("NOTIFY_SOCKET=" + address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Watchdog(); !errors.Is(err, unix.ENOENT) {
		t.Errorf("error is %v, want ENOENT inside", err)
	}
	for range 2 {
		m := manage(t, address)
		if err := n.Watchdog(); err != nil {
			t.Error(err)
		}
		m.expects(t, "WATCHDOG=1")
		if err := os.Remove(address); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClosedNotifier(t *testing.T) {
	fdcheck.NoLeak(t)
	m := manage(t, "@"+in(temp(t), "notify"))
	n, err := NewNotifier(env("NOTIFY_SOCKET=" + m.address))
	if err != nil {
		t.Fatal(err)
	}
	if f, err := flagsOf(n.fd); err != nil || !f.CloseOnExec {
		t.Errorf("flags are %+v (%v), want close-on-exec", f, err)
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := n.Watchdog(); !errors.Is(err, errNotifierClosed) {
		t.Errorf("error is %v, want %v", err, errNotifierClosed)
	}
}

// All goroutines may speak at once, and none speaks into another's datagram.
func TestManySpeakers(t *testing.T) {
	t.Parallel()
	m := manage(t, "@"+in(temp(t), "notify"))
	n := m.notifier(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				if err := n.Send("X_A="+strconv.Itoa(i), "X_B="+strconv.Itoa(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range 8 * 20 {
		a := m.next(t).assignments()
		if len(a) != 2 || strings.TrimPrefix(a[0], "X_A=") != strings.TrimPrefix(a[1], "X_B=") {
			t.Errorf("got %q", a)
		}
	}
}

// Not parallel: go-systemd reads the environment of the process.
func TestGoSystemdSaysTheSame(t *testing.T) {
	m := manage(t, in(temp(t), "notify"))
	n := m.notifier(t)
	t.Setenv("NOTIFY_SOCKET", m.address)
	for _, c := range []struct {
		ours   func() error
		theirs string
	}{
		{func() error { return n.Ready("") }, daemon.SdNotifyReady},
		{func() error { return n.Stopping("") }, daemon.SdNotifyStopping},
		{func() error { return n.Watchdog() }, daemon.SdNotifyWatchdog},
		{func() error { return n.Status("é") }, "STATUS=é"},
	} {
		if err := c.ours(); err != nil {
			t.Fatal(err)
		}
		if sent, err := daemon.SdNotify(false, c.theirs); !sent || err != nil {
			t.Fatal(sent, err)
		}
		ours, theirs := m.next(t), m.next(t)
		if ours.text != theirs.text || ours.pid != theirs.pid {
			t.Errorf("we say %+v, go-systemd %+v", ours, theirs)
		}
	}
}

func TestMonotonicIsTheClockOfSystemd(t *testing.T) {
	t.Parallel()
	before := Monotonic().Microseconds()
	text := strings.TrimSpace(strings.TrimPrefix(daemon.SdNotifyMonotonicUsec(), "MONOTONIC_USEC="))
	after := Monotonic().Microseconds()
	if theirs, err := strconv.ParseInt(text, 10, 64); err != nil || theirs < before || theirs > after {
		t.Errorf("go-systemd reads %s, we %d before and %d after", text, before, after)
	}
}

// What systemd's own program sends must be understood by the fake manager, or
// the tests above prove little.
func TestSystemdNotifySpeaksToTheFakeManager(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-notify")
	if err != nil {
		t.Skip("systemd-notify is not installed")
	}
	m := manage(t, in(temp(t), "notify"))
	cmd := exec.CommandContext(t.Context(), program, "--ready", "--status=hello")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.address)
	if said, err := cmd.CombinedOutput(); err != nil { // it waits for a barrier
		t.Fatalf("%v\n%s", err, said)
	}
	got := m.next(t).assignments()
	if !slices.Contains(got, "READY=1") || !slices.Contains(got, "STATUS=hello") {
		t.Errorf("systemd-notify said %q", got)
	}
	if got := m.next(t).text; got != "BARRIER=1" {
		t.Errorf("then %q, want its barrier", got)
	}
}

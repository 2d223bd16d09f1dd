package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program that cannot be brought up ends the service, which says why and does not
// try again.
func TestExecFailsAtTheFirstBoot(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	notProgram := filepath.Join(t.TempDir(), "odd")
	if err := os.WriteFile(notProgram, []byte("text"), 0o700); err != nil {
		t.Fatal(err)
	}
	command := func(words ...string) launch {
		return launch{program: append([]string{world.binary, "exec", "--bind", "127.0.0.1:0", "--"}, words...)}
	}
	for _, c := range []struct {
		name   string
		launch launch
		status int
		want   string
	}{
		{"no such file", command("./nothing-there"), 4, "no such file"},
		{"not in PATH", command("nothing-of-that-name"), 4, "not in PATH"},
		{"not executable", command(plain), 4, "chmod +x"},
		{"not a program", command(notProgram), 4, "exec format error"},
		{"ends at once", command("false"), 3, "ended with status 1"},
		{"says why", programs(t, "errno"), 3, `announced error 2 (no such file or directory), with the status "no database"`},
		{"never listens", programs(t, "mute", "--boot-timeout", "1"), 3, "was not ready within 1s"},
		{"never says READY=1", programs(t, "silent", "--boot-timeout", "1", "--ready", "notify"), 3, "was not ready within 1s"},
		{"asks and guesses", programs(t, "", "--ready", "notify", "--ready-after", "1"), 1, "leave one out"},
		{"nothing to bind for each", programs(t, "", "--per-worker", "--bind", "unix:"+plain+".sock"), 1, "per-worker is for TCP"},
		{"listeners without a worker", programs(t, "", "--per-worker", "--max-worker-age", "10"), 1, "exclude each other"},
		{"no such user", programs(t, "", "--user", "nobody-of-that-name"), 4, "nobody-of-that-name"},
		{"a word of Python's", programs(t, "", "--threads", "2"), 2, "--threads means nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.launch)
			s.allow("worker ended", "indrik: ")
			s.expect(c.status)
			if text := s.stderr.String(); !strings.Contains(text, c.want) {
				t.Errorf("said %q, want %q in it", brief(text), c.want)
			}
			if n := s.stderr.count("worker ended"); n > 1 {
				t.Errorf("%d were tried, want one", n)
			}
		})
	}
}

// What happens to a program at work, and what becomes of what it kept.
func TestExecFaults(t *testing.T) {
	t.Parallel()
	s := serve(t, programs(t, "", "--watchdog", "2", "--fd-store", "2", "--prefix-output", "--log-level", "debug"))
	s.allow("worker ended", "process left behind was killed", "descriptors not stored")
	s.ready(1)
	births := 1
	replaced := func(why string, parts ...string) {
		t.Helper()
		births++
		s.stderr.await(t, 1, append([]string{"worker ended"}, parts...)...)
		s.ready(births)
		s.wants("/", 200, "hello") // whoever came meanwhile has waited in the listener
	}

	s.get("/store?red")
	s.get("/store?green")
	s.get("/store?blue") // one too many
	s.stderr.await(t, 1, "descriptors not stored", "limit=2")
	s.get("/hang")
	replaced("it does not beat", "cause=silent")
	s.wants("/stored", 200, "red=red green=green")
	s.get("/forget?red")

	_, text := s.get("/leave")
	child, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	replaced("it ended and left a child", "status=5")
	s.until("the child is gone", func() bool { return dead(child) })
	s.stderr.await(t, 1, "process left behind was killed", "pid="+text)

	s.get("/trigger")
	s.stderr.await(t, 2, "worker ended", "cause=silent")
	births++
	s.ready(births)

	_, pid := s.get("/pid")
	s.get("/print?3000")
	s.until("the flood has been copied", func() bool {
		return s.stderr.count("[slot 0, pid "+pid+"] ", strings.Repeat("x", 1000)) == 3000
	})
	s.reload(1)
	if _, got := s.get("/stored"); got != "green=green" {
		t.Errorf("after a reload the program has %q", got)
	}
	s.stop()
}

// A program that does not leave is killed when its time is over, and the client of one
// that takes its time is served.
func TestExecStopsTheDeaf(t *testing.T) {
	t.Parallel()
	s := serve(t, programs(t, "deaf", "--graceful-timeout", "1"))
	s.allow("worker ended")
	began := time.Now()
	s.stop()
	if took := time.Since(began); took < time.Second {
		t.Errorf("stopped within %v, want it to wait for a second", took)
	}
	s.stderr.await(t, 1, "worker ended", "cause=deaf")
}

// One that has become old is replaced, the next first, and no client notices.
func TestExecReplacesTheOld(t *testing.T) {
	t.Parallel()
	s := serve(t, programs(t, "", "--max-worker-age", "1"))
	first := s.running(1)
	l := s.loadWith(2, "/", oneShot)
	l.flows()
	s.stderr.await(t, 1, "worker ended", "cause=asked", fmt.Sprintf("pid=%d", first[0]))
	l.flows()
	l.end().atMost(t, nil)
	s.stop()
}

// One at a time: at no moment are there more programs than workers and one.
func TestExecReplacesOneAtATime(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken")
	s := serve(t, programs(t, "fails="+broken, "-w", "3", "--surge", "1", "--log-level", "debug"))
	s.allow("worker ended", "reload failed")
	s.ready(3)
	old := s.running(3)
	l := s.loadWith(2, "/", oneShot)
	l.flows()
	s.kill(s.pid, syscall.SIGHUP)
	most := 0
	for s.stderr.count("reload done") == 0 {
		most = max(most, len(s.programsRunning()))
		time.Sleep(time.Millisecond) // the kernel has no event for the number of somebody's children
	}
	if most != 4 {
		t.Errorf("%d programs at the most, want 4", most)
	}
	for _, pid := range s.running(3) {
		for _, other := range old {
			if pid == other {
				t.Errorf("program %d was not replaced", pid)
			}
		}
	}
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.failReload(1)
	s.running(3)
	l.flows()
	l.end().atMost(t, nil)
	s.stop()
}

// Each worker has a listener, the next one in its slot has the same.
func TestExecListenersOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := serve(t, programs(t, "", "-w", "2", "--per-worker", "--nonblocking", "--log-level", "debug"))
	s.allow("worker ended")
	s.ready(2)
	first := s.running(2)
	one, two := listens(t, first[0]), listens(t, first[1])
	if one == two || one == 0 || two == 0 {
		t.Errorf("the listeners are %d and %d, want two", one, two)
	}
	if _, got := s.get("/about"); !strings.Contains(got, "sockets=1 ") || !strings.Contains(got, "blocking=false") {
		t.Errorf("the program finds %q", got)
	}
	s.hangUp()
	s.kill(first[0], syscall.SIGKILL)
	for range 20 { // those that the kernel gives to the vacant slot wait for its next worker
		s.wants("/", 200, "hello")
		s.hangUp()
	}
	s.ready(3)
	now := s.running(2)
	if got := map[uint64]bool{listens(t, now[0]): true, listens(t, now[1]): true}; !got[one] || !got[two] {
		t.Errorf("listeners %v, want %d and %d as before", got, one, two)
	}
	s.reload(1)
	s.wants("/", 200, "hello")
	s.stop()
}

// The configuration file names the program; a reload reads it again, and systemd is
// told of everything.
func TestExecFromAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	late := filepath.Join(dir, "late")
	configure := func(workers int) {
		l := programs(t, "late="+late)
		words := l.program[len(l.program)-2:]
		text := fmt.Sprintf("exec = [%q, %q]\nworkers = %d\nraw_env = [%q]\nbind = %q\numask = \"027\"\nboot_timeout = 1\n",
			words[0], words[1], workers, roleEnv+"="+roleProgram, "127.0.0.1:0")
		if err := os.WriteFile(filepath.Join(dir, "indrik.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(1)
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = systemd.Close() }() // datagrams
	told := func(want string) {
		t.Helper()
		_ = systemd.SetReadDeadline(time.Now().Add(patience)) // sockets have deadlines
		buf := make([]byte, 8<<10)
		for {
			n, err := systemd.Read(buf)
			if err != nil {
				t.Fatalf("systemd was not told %q: %v", want, err)
			}
			if strings.Contains(string(buf[:n]), want) {
				return
			}
		}
	}
	s := start(t, launch{program: []string{world.binary}, dir: dir, env: []string{"NOTIFY_SOCKET=" + filepath.Join(dir, "n")}})
	told("EXTEND_TIMEOUT_USEC=")
	// It takes longer than boot_timeout, and asks for it.
	time.AfterFunc(1500*time.Millisecond, func() { _ = os.WriteFile(late, nil, 0o600) })
	told("READY=1\nSTATUS=serving: 1 worker, generation 1; 0: at work")
	s.wants("/", 200, "hello")
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.running(1)[0])); err != nil || !strings.Contains(string(status), "Umask:\t0027") {
		t.Errorf("the program has another mask: %v\n%s", err, status)
	}
	configure(2)
	s.hangUp()
	s.kill(s.pid, syscall.SIGHUP)
	told("RELOADING=1")
	told("READY=1\nSTATUS=serving: 2 workers, generation 2")
	s.running(2)
	s.kill(s.pid, syscall.SIGTERM)
	told("STOPPING=1")
	s.expect(0)
}

// Silent programs are ready when they are seen to wait for connections, or after a
// while.
func TestExecOfSilentPrograms(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]launch{
		"auto":   programs(t, "silent"),
		"accept": programs(t, "silent", "--ready", "accept", "-w", "auto"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, l)
			s.wants("/", 200, "hello")
			s.stop()
		})
	}
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		l := programs(t, "mute", "--ready-after", "0.3", "--stop-signal", "INT")
		s := serve(t, l)
		s.stop()
		s.stderr.await(t, 1, "worker ended", "signal=SIGINT", "cause=asked")
	})
}

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// console is a program on a pseudo-terminal of its own, as its user sees it.
type console struct {
	t      testing.TB
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File // kept, so that its mode can be looked at when the program has gone
	before unix.Termios

	mu    sync.Mutex
	wrote strings.Builder
}

// onTerminal starts indrik on a new terminal of 80 columns and 24 rows, in a directory; ""
// is that of the applications.
func onTerminal(t testing.TB, dir string, env []string, args ...string) *console {
	t.Helper()
	c := &console{t: t, cmd: exec.Command(world.binary, args...)}
	c.master, c.slave = c.pair()
	c.resize(80, 24)
	c.before = *c.mode()
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = c.slave, c.slave, c.slave
	c.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "PYTHONDONTWRITEBYTECODE=1"), env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if c.cmd.Dir = dir; dir == "" {
		c.cmd.Dir = world.apps
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		var room [4096]byte
		for {
			n, err := c.master.Read(room[:])
			c.mu.Lock()
			c.wrote.Write(room[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has ended, if the test got so far
		_ = c.slave.Close()
		_ = c.master.Close()
		if t.Failed() {
			t.Logf("the terminal shows:\n%s", c.shows())
		}
	})
	return c
}

// pair makes a pseudo-terminal (pts(4)).
func (c *console) pair() (master, slave *os.File) {
	c.t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		c.t.Skipf("no pseudo-terminals here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		c.t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		c.t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "/dev/ptmx"), slave
}

// resize makes the terminal another size, which its program is told.
func (c *console) resize(columns, rows uint16) {
	c.t.Helper()
	if err := unix.IoctlSetWinsize(int(c.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *console) mode() *unix.Termios {
	c.t.Helper()
	mode, err := unix.IoctlGetTermios(int(c.slave.Fd()), unix.TCGETS)
	if err != nil {
		c.t.Fatal(err)
	}
	return mode
}

// press sends keys.
func (c *console) press(keys string) {
	c.t.Helper()
	if _, err := c.master.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

func (c *console) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrote.String()
}

// shows is the last whole picture, without colours; all that was written where there are
// no pictures.
func (c *console) shows() string {
	text := c.all()
	end := strings.LastIndex(text, "\x1b[J\x1b[?2026l")
	begin := strings.LastIndex(text[:max(end, 0)], "\x1b[?2026h\x1b[H")
	if begin < 0 {
		return text
	}
	text = strings.TrimPrefix(text[begin:end], "\x1b[?2026h\x1b[H")
	return strings.ReplaceAll(regexp.MustCompile(`\x1b\[[0-9;]*[mK]`).ReplaceAllString(text, ""), "\r", "")
}

// sees waits for a picture that an expression matches, and returns what its groups hold.
func (c *console) sees(expression string) (found []string) {
	c.t.Helper()
	pattern := regexp.MustCompile(expression)
	within(c.t, patience, "the terminal shows "+expression, func() bool {
		found = pattern.FindStringSubmatch(c.shows())
		return found != nil
	})
	return found
}

// ended waits for the end of the program, which must give the terminal back as it was.
func (c *console) ended(status int) {
	c.t.Helper()
	c.over(status)
	c.restored()
}

// over waits for the end of the program.
func (c *console) over(status int) {
	c.t.Helper()
	over := make(chan error, 1)
	go func() { over <- c.cmd.Wait() }()
	select {
	case <-over:
	case <-time.After(patience):
		c.t.Fatal("the program on the terminal has not ended")
	}
	if got := c.cmd.ProcessState.ExitCode(); got != status {
		c.t.Errorf("it ended with %v, want status %d", c.cmd.ProcessState, status)
	}
}

// restored wants the terminal as it was: its mode, its cursor and its screen.
func (c *console) restored() {
	c.t.Helper()
	within(c.t, patience, "the terminal is restored", func() bool {
		text := c.all()
		return *c.mode() == c.before && strings.LastIndex(text, "\x1b[?1049l") > strings.LastIndex(text, "\x1b[?1049h") &&
			strings.LastIndex(text, "\x1b[?25h") > strings.LastIndex(text, "\x1b[?25l")
	})
}

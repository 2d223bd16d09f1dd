package top

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// What a terminal is told (xterm's control sequences, which all that is in use today
// know): another screen without a cursor, on which lines are cut and not wrapped.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	beginUpdate = "\x1b[?2026h\x1b[H"
	endUpdate   = "\x1b[J\x1b[?2026l"
	restOfLine  = "\x1b[K"
)

// IsTerminal reports that a file is one.
func IsTerminal(f *os.File) bool {
	_, err := terminalMode(f)
	return err == nil
}

// terminal is a terminal that is ours for a while. One goroutine uses it.
type terminal struct {
	in, out *os.File
	before  *unix.Termios // as it was
}

// enter takes the terminal: keys come one by one, unseen, and none is a signal. It may be
// entered anew, after somebody else had it.
func (t *terminal) enter() error {
	mode, err := terminalMode(t.in)
	if err != nil {
		return fmt.Errorf("read the terminal's mode: %w", err)
	}
	if t.before == nil {
		kept := *mode
		t.before = &kept
	}
	mode.Iflag &^= unix.IXON | unix.ICRNL | unix.INLCR | unix.IGNCR | unix.ISTRIP
	mode.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	if err := t.set(mode); err != nil {
		return fmt.Errorf("set the terminal's mode: %w", err)
	}
	_, err = t.out.WriteString(enterScreen)
	return err
}

// leave gives it back as it was. It may be left twice.
func (t *terminal) leave() {
	if t.before == nil {
		return
	}
	_, _ = t.out.WriteString(leaveScreen) // if nobody reads it, it has no screen
	_ = t.set(t.before)
	t.before = nil
}

func (t *terminal) set(mode *unix.Termios) error {
	return withFD(t.in, func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETSW, mode) })
}

// size is that of the terminal in characters; that of an old one if it does not say.
func (t *terminal) size() (width, height int) {
	width, height = 80, 24
	_ = withFD(t.out, func(fd int) error {
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil && size.Col > 0 && size.Row > 0 {
			width, height = int(size.Col), int(size.Row)
		}
		return err
	})
	return width, height
}

func terminalMode(f *os.File) (mode *unix.Termios, err error) {
	err = withFD(f, func(fd int) (err error) {
		mode, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	})
	return mode, err
}

// withFD calls f with the descriptor of a file, whose own mode it leaves as it is.
func withFD(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

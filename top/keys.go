package top

import (
	"context"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// key is one that was pressed: a character, or one of those below.
type key rune

const (
	keyUp key = -1 - iota
	keyDown
	keyPageUp
	keyPageDown
	keyHome
	keyEnd
	keyEscape
	keyUnknown // a sequence that nobody here knows
)

const (
	keyInterrupt key = 'C' & 0x1f // as a terminal has it, were it not for us
	keySuspend   key = 'Z' & 0x1f
	keyEnter     key = '\r'
)

// sequences are what keys without a character send, behind the escape.
func sequence(text string) key {
	switch text {
	case "[A", "OA":
		return keyUp
	case "[B", "OB":
		return keyDown
	case "[5~":
		return keyPageUp
	case "[6~":
		return keyPageDown
	case "[H", "OH", "[1~", "[7~":
		return keyHome
	case "[F", "OF", "[4~", "[8~":
		return keyEnd
	}
	return keyUnknown
}

// parse takes what one read gave apart. A terminal writes a sequence at once, so an
// escape at the end is that key.
func parse(text []byte) (keys []key) {
	for len(text) > 0 {
		if text[0] != 0x1b {
			r, n := utf8.DecodeRune(text)
			keys, text = append(keys, key(r)), text[n:]
			continue
		}
		if len(text) == 1 || text[1] != '[' && text[1] != 'O' {
			keys, text = append(keys, keyEscape), text[1:]
			continue
		}
		end := 2
		for end < len(text) && (text[end] < '@' || text[end] > '~') {
			end++
		}
		end = min(end+1, len(text))
		keys, text = append(keys, sequence(string(text[1:end]))), text[end:]
	}
	return keys
}

// read sends what is pressed until ctx ends or the terminal is gone, and closes the
// channel then. It takes no key that it was not there for: once ctx has ended, what is
// typed is the shell's.
func read(ctx context.Context, in *os.File, keys chan<- key) {
	defer close(keys)
	wake, wakes, err := os.Pipe()
	if err != nil {
		return
	}
	defer wake.Close() // nothing is written to it
	stop := context.AfterFunc(ctx, func() { _ = wakes.Close() })
	defer func() {
		if stop() {
			_ = wakes.Close() // nobody else will
		}
	}()
	var room [256]byte
	for ctx.Err() == nil {
		n, err := await(in, wake, room[:])
		if err != nil || n == 0 {
			return
		}
		for _, k := range parse(room[:n]) {
			select {
			case keys <- k:
			case <-ctx.Done():
				return
			}
		}
	}
}

// await reads once there is something to read; 0 bytes if there will be nothing any more,
// or wake was closed.
func await(in, wake *os.File, room []byte) (n int, err error) {
	err = withFD(wake, func(wakeFD int) error {
		return withFD(in, func(fd int) error {
			waits := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wakeFD), Events: unix.POLLIN}}
			for {
				if _, err := unix.Poll(waits, -1); err == unix.EINTR {
					continue
				} else if err != nil {
					return err
				}
				break
			}
			if waits[1].Revents != 0 || waits[0].Revents&unix.POLLIN == 0 {
				return nil
			}
			n, err = unix.Read(fd, room)
			return err
		})
	})
	return max(n, 0), err
}

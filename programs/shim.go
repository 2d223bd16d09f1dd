package programs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ShimCommand is the first argument of a process that is to call [Become].
const ShimCommand = "exec-worker"

// StatusExec is the exit status of a process that could not become its program, as
// systemd's own for the same failure (EXIT_EXEC).
const StatusExec = 203

// inheritedUmask stands in the place of a mask that is not to be changed.
const inheritedUmask = "-"

// shimArguments are those that follow ShimCommand: the descriptor to report on, the
// file mode mask in octal or "-", the file to execute, and the program's argv.
func shimArguments(report int, umask, path string, argv []string) []string {
	return append([]string{strconv.Itoa(report), umask, path}, argv...)
}

// awaitLeave waits until the master has put this process where it belongs. What the
// program forks, it forks there.
func awaitLeave(report int) error {
	for {
		var word [1]byte
		n, err := unix.Read(report, word[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the master: %w", err)
		case n == 0:
			return errors.New("the master is gone")
		default:
			return nil
		}
	}
}

// Become makes the calling process the program that args, those after
// [ShimCommand], name. It sets LISTEN_PID, and WATCHDOG_PID if a watchdog is
// set, to pid, which is the calling process, and does not return unless it
// fails. It waits for a byte on the descriptor that args name, a socket of the master's,
// who is told there why it failed; the caller exits with [StatusExec].
//
// It is for processes that the master starts, and nobody else.
func Become(args, env []string, pid int) error {
	if len(args) < 4 {
		return fmt.Errorf("%s wants a descriptor, a mask, a file and an argv, got %q; it is started by the master, never by hand", ShimCommand, args)
	}
	number, err := strconv.Atoi(args[0])
	if err != nil || number < 3 {
		return fmt.Errorf("%s reports on descriptor %q, which is none", ShimCommand, args[0])
	}
	unix.CloseOnExec(number)
	if err := awaitLeave(number); err != nil {
		return err
	}
	if args[1] != inheritedUmask {
		mask, err := strconv.ParseUint(args[1], 8, 9)
		if err != nil {
			return fmt.Errorf("%s: mask %q: %w", ShimCommand, args[1], err)
		}
		syscall.Umask(int(mask))
	}
	own := strconv.Itoa(pid)
	env = append(env, "LISTEN_PID="+own)
	for _, entry := range env {
		if strings.HasPrefix(entry, "WATCHDOG_USEC=") {
			env = append(env, "WATCHDOG_PID="+own)
			break
		}
	}
	err = &os.PathError{Op: "execute", Path: args[2], Err: syscall.Exec(args[2], args[3:], env)}
	_, _ = unix.Write(number, []byte(err.Error())) // if the master is gone, nobody wants to know
	return err
}

package activation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Env looks up an environment variable and gives "" for one that is not set,
// as [os.Getenv] does. It is how a package that must not read the environment
// is given it; it must not be nil.
type Env func(key string) string

// The variables by which systemd speaks to a service's main process. They are
// addressed to one process (LISTEN_PID, WATCHDOG_PID) and must not reach its
// children: a library in a worker that finds NOTIFY_SOCKET and sends STOPPING=1
// stops the whole service.
const (
	envListenPID     = "LISTEN_PID"
	envListenPIDFDID = "LISTEN_PIDFDID" // since 259
	envListenFDs     = "LISTEN_FDS"
	envListenFDNames = "LISTEN_FDNAMES"
	envNotifySocket  = "NOTIFY_SOCKET"
	envWatchdogPID   = "WATCHDOG_PID"
	envWatchdogUsec  = "WATCHDOG_USEC"
	envMainPID       = "MAINPID"
	envMainPIDFDID   = "MAINPIDFDID" // since 258
	envFDStore       = "FDSTORE"     // since 254
)

// Unset returns environ ("KEY=value" strings, as [os.Environ] gives them)
// without the variables of socket activation, notification, watchdog and
// descriptor store: the environment for children. Names are compared whole, so
// an application's own LISTEN_ADDRESS stays. environ itself is not changed, and
// the result shares no memory with it.
func Unset(environ []string) []string {
	kept := make([]string, 0, len(environ))
	for _, entry := range environ {
		key, _, _ := strings.Cut(entry, "=")
		if !private(key) {
			kept = append(kept, entry)
		}
	}
	return slices.Clip(kept)
}

func private(key string) bool {
	switch key {
	case envListenPID, envListenPIDFDID, envListenFDs, envListenFDNames,
		envNotifySocket, envWatchdogPID, envWatchdogUsec,
		envMainPID, envMainPIDFDID, envFDStore:
		return true
	}
	return false
}

// addressedTo reports whether the variable key, which holds a process id, names
// pid. A variable that is not set names nobody.
func addressedTo(env Env, key string, pid int) (bool, error) {
	text := env(key)
	if text == "" {
		return false, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return false, fmt.Errorf("read %s=%q: not a process id", key, text)
	}
	return int(n) == pid, nil
}

// pidfdIDMatches compares LISTEN_PIDFDID with the identity of process pid. The
// number of a process is used again after its death, the inode of its pidfd
// never is, so this refuses an environment left over from a dead namesake.
// Where the variable is not set, or the kernel has no such identity (before
// 6.9), there is nothing to compare and the answer is yes.
func pidfdIDMatches(env Env, pid int) (bool, error) {
	text := env(envListenPIDFDID)
	if text == "" {
		return true, nil
	}
	want, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return false, fmt.Errorf("read %s=%q: not a pidfd inode number", envListenPIDFDID, text)
	}
	id, known := pidfdID(pid)
	return !known || id == want, nil
}

// pidfdID returns the inode number of pidfds of process pid, if the kernel
// gives them one of their own.
func pidfdID(pid int) (id uint64, known bool) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false // no such system call or no such process: nothing to compare with
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written; nothing to lose
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != unix.PID_FS_MAGIC {
		return 0, false // before 6.9 all pidfds share one meaningless inode
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, false
	}
	return st.Ino, true
}

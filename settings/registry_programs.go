package settings

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// programSettings are about workers that are not Python: any program that takes
// sockets from systemd.
var programSettings = []Setting{
	{
		Name: "exec", Flag: "exec", Metavar: "WORD", Group: Programs, Kind: List,
		check: notEmpty("the program and its arguments, one word at a time"),
		Help:  "Run this program as the worker, in place of Python; one word of its command line at a time",
		Note:  "On the command line `indrik exec -- PROGRAM ARGUMENTS…` says the same. In indrik.toml: `exec = [\"./server\", \"--verbose\"]`. [exec.md](exec.md) tells how programs are run.",
		Since: "0.1.0",
	},
	{
		Name: "exec_ready", Flag: "ready", Metavar: "HOW", Group: Programs, Kind: Choice,
		Default: "auto", Choices: []string{"auto", "notify", "accept"},
		Help:  "A program is ready when it says READY=1 (notify), when it is seen waiting for connections (accept), or whichever comes first (auto)",
		Note:  "With `auto`, a program that has sent anything to its NOTIFY_SOCKET is ready at READY=1 and not before, and so are all its successors once one of them has said it.",
		Since: "0.1.0",
	},
	{
		Name: "exec_ready_after", Flag: "ready-after", Metavar: "SECONDS", Group: Programs, Kind: Seconds,
		Default: "0", DefaultHelp: "0, no guess", Min: 0, Max: maxSeconds,
		Help:  "Take a program that says nothing for ready when it has lived this long",
		Since: "0.1.0",
	},
	{
		Name: "exec_stop_signal", Flag: "stop-signal", Metavar: "SIGNAL", Group: Programs, Kind: String,
		Default: "TERM", check: checkSignal,
		Help:  "Ask a program to leave with this signal, a name like QUIT",
		Since: "0.1.0",
	},
	{
		Name: "exec_watchdog", Flag: "watchdog", Metavar: "SECONDS", Group: Programs, Kind: Seconds,
		Default: "0", DefaultHelp: "0, none", Min: 0, Max: maxSeconds,
		Help:  "Kill a program that has not sent WATCHDOG=1 for this long; it is told as WATCHDOG_USEC",
		Since: "0.1.0",
	},
	{
		Name: "exec_per_worker", Flag: "per-worker", Group: Programs, Kind: Bool,
		Default: "false",
		Help:    "Bind TCP addresses once for each worker, with SO_REUSEPORT, in place of one listener for all",
		Note:    "The kernel then spreads connections over the workers, and one that is busy keeps those that wait for it. Sockets passed by systemd stay shared.",
		Since:   "0.1.0",
	},
	{
		Name: "exec_nonblocking", Flag: "nonblocking", Group: Programs, Kind: Bool,
		Default: "false",
		Help:    "Pass bound sockets with O_NONBLOCK set, as NonBlocking= of a unit does",
		Note:    "For programs that wait with epoll and do not set it themselves, such as nginx. Sockets passed by systemd are passed on as they came.",
		Since:   "0.1.0",
	},
	{
		Name: "exec_fd_store", Flag: "fd-store", Metavar: "N", Group: Programs, Kind: Int,
		Default: "64", Min: 0, Max: 1024,
		Help:  "Keep at most so many descriptors for each slot (FDSTORE=1), for the next program in it",
		Since: "0.1.0",
	},
	{
		Name: "exec_surge", Flag: "surge", Metavar: "N", Group: Programs, Kind: Int,
		Default: "0", DefaultHelp: "0, as many as there are workers", Min: 0, Max: 1024,
		Help:  "At a reload, run at most so many programs more than workers",
		Note:  "0 replaces all at once, when as many as `ready_workers` of the new ones are ready. 1 replaces one at a time: each new program that is ready takes the place of an old one.",
		Since: "0.1.0",
	},
	{
		Name: "exec_prefix_output", Flag: "prefix-output", Group: Programs, Kind: Bool,
		Default: "false",
		Help:    "Write slot and process number before each line that a program prints",
		Note:    "Otherwise programs have standard output and error of Indrik itself.",
		Since:   "0.1.0",
	},
}

// checkSignal refuses what names no signal, and those that cannot ask.
func checkSignal(text string) error {
	name := "SIG" + strings.TrimPrefix(strings.ToUpper(text), "SIG")
	switch unix.SignalNum(name) {
	case 0:
		return errors.New("no such signal; give a name like TERM or QUIT")
	case unix.SIGKILL, unix.SIGSTOP:
		return errors.New("no program can obey it; give one that asks, like TERM or QUIT")
	}
	return nil
}

// forPrograms are the other settings that mean something for programs as workers.
func forPrograms() []string {
	return []string{
		"bind", "backlog", "workers", "graceful_timeout", "shutdown_delay", "boot_timeout", "boot_concurrency", "ready_workers",
		"max_worker_age", "max_worker_age_jitter", "max_worker_memory", "worker_memory_interval", "worker_memory_high", "control_groups",
		"control_socket", "control_socket_mode", "control_socket_disable", "proc_name",
		"user", "group", "umask", "initgroups", "chdir", "raw_env", "pidfile",
		"config", "check_config", "print_config", "admin_bind",
		"loglevel", "errorlog", "syslog", "syslog_addr", "syslog_prefix", "syslog_facility",
	}
}

// ForPrograms reports whether the setting means something where the workers are
// programs (see [Values.Exec]).
func (s Setting) ForPrograms() bool {
	return s.Group == Programs || slices.Contains(forPrograms(), s.Name)
}

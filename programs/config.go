package programs

import (
	"context"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/settings"
)

// Config is everything that [Run] takes from its process. Nothing in it is changed;
// the files are lent until Run returns.
type Config struct {
	// Settings hold the program ([settings.Values.Exec], at least one word) and
	// whatever else [settings.Setting.ForPrograms].
	Settings *settings.Values
	// Read reads the configuration once more, for a reload. It is called on the
	// goroutine of Run and must not wait. Nil: a reload is refused.
	Read func() (*settings.Values, error)
	// InForce is told the settings when a reload has put them in force. May be nil.
	InForce        func(*settings.Values)
	Env            []string // the environment, as os.Environ has it
	PID            int      // of this process, to which systemd addresses its variables
	Path           string   // where this binary was started from, absolute; "" if nobody knows
	Stdout, Stderr *os.File
	Version        string
	Log            hclog.Logger
	Logs           Logs // where Log writes; nil if that is settled
	// Signals brings HUP, INT, QUIT, TERM, USR1, USR2, TTIN, TTOU and WINCH.
	Signals <-chan os.Signal
}

// Logs is where Config.Log writes.
type Logs interface {
	// Try reports whether Open would succeed, without changing where the log goes.
	Try(s *settings.Values) error
	// Open leads the log to where the settings say; program is the service's name in
	// syslog. On an error the log goes on where it went.
	Open(s *settings.Values, program string) error
	// Reopen opens its file anew, if it has one.
	Reopen() error
	// Write writes text as it is.
	io.Writer
}

// Run keeps the programs of cfg until it is told to stop by a signal or by ctx, whose
// end means the same as SIGTERM. It returns nil after a stop that was asked for, and
// otherwise the reason: [ErrStart] and [ErrBoot] name what is wrong with the program,
// anything else is about configuration, sockets or this machine.
//
// Run may be called once in a process: it makes the process a child subreaper and
// changes its working directory if --chdir says so. The process's own binary must
// call [Become] when its first argument is [ShimCommand].
func Run(ctx context.Context, cfg Config) error {
	m := newMaster(cfg)
	defer m.release()
	if err := m.prepare(ctx); err != nil {
		m.tellFailure(err)
		return err
	}
	return m.run(ctx)
}

// Check finds out whether Run would get as far as to start a program, and starts
// none and opens no socket.
func Check(cfg Config) error {
	m := newMaster(cfg)
	defer m.release()
	var err error
	if m.home, err = os.Getwd(); err != nil {
		return err
	}
	_, err = m.outline(cfg.Settings)
	return err
}

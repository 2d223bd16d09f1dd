package master

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/settings"
	"github.com/indrik/indrik/statsd"
)

const (
	// measureEvery is how often numbers are sent that only the master knows.
	measureEvery = time.Second
	// repeatEvery is how often the number of workers is said again: datagrams get
	// lost.
	repeatEvery = 10 * time.Second
)

// Logs is where Config.Log writes. Its methods may be called by any goroutine.
type Logs interface {
	// Try reports whether Open would succeed, without changing where the log goes.
	Try(s *settings.Values) error
	// Open leads the log to where the settings say; program is the service's name in
	// syslog. Relative paths are below the current directory. On an error the log
	// goes on where it went.
	Open(s *settings.Values, program string) error
	// Reopen opens its file anew, if it has one.
	Reopen() error
	// Write writes text as it is.
	io.Writer
}

// logPlan is what a plan says of logs that others write, and of numbers.
type logPlan struct {
	program   string          // in syslog
	access    *gateway.Syslog // for access lines; nil for none
	stats     *gateway.StatsD // nil for none
	arguments []string        // of a gateway, which lead its log to where ours goes
}

// planLogs works out where logs go, and sees to it that they can go there. A start
// that fails for other reasons says so in the log that was wanted.
func (m *master) planLogs(p *plan) error {
	s := p.settings
	name := s.SyslogPrefix()
	if name == "" {
		name = strings.ReplaceAll(s.ProcName(), ":", ".")
	}
	if name == "" {
		name = strings.ReplaceAll(m.app(p), ":", ".")
	}
	p.logs.program = "gunicorn." + name
	p.logs.arguments = logArguments(s, p.logs.program)
	if err := p.logs.address(s); err != nil {
		return err
	}
	switch {
	case m.cfg.Logs == nil:
		return nil
	case m.plan == nil:
		return m.cfg.Logs.Open(s, p.logs.program)
	}
	return m.cfg.Logs.Try(s)
}

// address reads the addresses of daemons.
func (l *logPlan) address(s *settings.Values) error {
	if s.Syslog() && !s.DisableRedirectAccessToSyslog() {
		to, err := logsink.ParseSyslog(s.SyslogAddr())
		if err != nil {
			return fmt.Errorf("syslog_addr: %w", err)
		}
		facility, _ := logsink.Facility(s.SyslogFacility()) // the registry has no others
		l.access = &gateway.Syslog{Syslog: to, Tag: logsink.SyslogTag(facility, logsink.Info, l.program+".access")}
	}
	if s.StatsDHost() != "" {
		to, err := statsd.Parse(s.StatsDHost())
		if err != nil {
			return fmt.Errorf("statsd_host: %w", err)
		}
		to.Prefix, to.Tags = s.StatsDPrefix(), s.DogStatsDTags()
		l.stats = &to
	}
	return nil
}

// logArguments are the options of a gateway whose log goes where ours goes.
func logArguments(s *settings.Values, program string) []string {
	arguments := []string{"--log-level", s.LogLevel()}
	if s.ErrorLog() != "-" {
		arguments = append(arguments, "--error-logfile", s.ErrorLog())
	}
	if s.Syslog() {
		arguments = append(arguments, "--log-syslog", "--log-syslog-to", s.SyslogAddr(),
			"--log-syslog-prefix", program, "--log-syslog-facility", s.SyslogFacility())
	}
	return arguments
}

// useLogs makes the logs of a plan those of the service. After a reload every
// process opens its files anew, as with Gunicorn: who reloads may have renamed them.
func (m *master) useLogs(before, now *plan) {
	m.numbers.follow(m, now.logs.stats)
	if before == nil {
		return // planLogs has opened them
	}
	if m.cfg.Logs != nil {
		if err := m.cfg.Logs.Open(now.settings, now.logs.program); err != nil {
			m.log.Error("error log could not be opened", "error", err)
		}
	}
	m.reopen()
}

// reopen has every process open its log files anew: somebody has renamed them. It
// begins with ours, which gives the file to the workers' user.
func (m *master) reopen() {
	if m.cfg.Logs != nil {
		if err := m.cfg.Logs.Reopen(); err != nil {
			m.log.Error("error log could not be reopened", "error", err)
		}
	}
	m.log.Info("log files reopened")
	for _, gt := range m.gates() {
		m.order(gt, gateway.ReopenOrder())
	}
	for _, g := range m.generations() {
		g.reopened = time.Now()
		if g.mold.able() {
			_ = g.mold.child.order(dispatch.Tuple{"reopen"}) // a mold that does not take it is dead, and the next opens them anyhow
		}
		g.pool.Signal(syscall.SIGUSR1)
	}
}

// numbers are sent to StatsD. The zero value sends none.
type numbers struct {
	to     *gateway.StatsD
	client *statsd.Client
	sent   time.Time // the last ones
	told   time.Time // when the number of workers was sent
	wanted int       // that number
}

// follow makes to the place where numbers go; nil for nowhere.
func (n *numbers) follow(m *master, to *gateway.StatsD) {
	if to == n.to || to != nil && n.to != nil && *to == *n.to {
		return
	}
	n.client.Close()
	*n = numbers{to: to}
	if to == nil {
		return
	}
	lines := func(k *statsd.Client) {
		errors, warnings := m.cfg.Counts.Take()
		k.Logged(errors, warnings)
	}
	n.client = statsd.New(*to, lines, func(err error) {
		if err == nil {
			m.log.Info("StatsD is reached again")
			return
		}
		m.log.Warn("numbers could not be sent to StatsD", "address", to.Address, "error", err)
	})
}

// measure sends StatsD what only the master knows.
func (m *master) measure(now time.Time) {
	n := &m.numbers
	if n.client == nil || now.Sub(n.sent) < measureEvery {
		return
	}
	n.sent = now
	if m.gen.wanted != n.wanted || now.Sub(n.told) >= repeatEvery {
		n.wanted, n.told = m.gen.wanted, now
		n.client.Gauge("gunicorn.workers", int64(n.wanted))
	}
	if m.plan.settings.EnableBacklogMetric() {
		n.client.Histogram("gunicorn.backlog", m.backlog())
	}
}

// backlog is how many connections wait in the accept queues of the TCP listeners.
func (m *master) backlog() (total int64) {
	for _, s := range m.sockets {
		if !strings.HasPrefix(s.Network, "tcp") {
			continue
		}
		// Of a listening socket the kernel gives the length of its accept queue here.
		if info, err := unix.GetsockoptTCPInfo(s.FD, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			total += int64(info.Unacked)
		}
	}
	return total
}

package gateway

import (
	"fmt"

	"github.com/indrik/indrik/accesslog"
	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/statsd"
)

// Syslog is where access lines go besides the access log; so named here, nobody
// above needs to know the package.
type Syslog struct {
	logsink.Syslog
	// Tag stands before each line: priority and program.
	Tag string `json:"tag"`
}

// accessJournal is the access log that is systemd's journal.
const accessJournal = "journal"

// CheckAccessFormat reports what is wrong with a format of the access log. Its
// errors are a reason and a remedy.
func CheckAccessFormat(format string) error {
	_, err := accesslog.Compile(format)
	return err
}

// ledger is where answered requests are noted: lines for logs, numbers for
// StatsD. A nil ledger notes nothing. It does not change after the configure
// order, and everyone may use it.
type ledger struct {
	rolls []roll // at most maxRolls
	stats *statsd.Client
	heads bool // a format asks for fields of the response
}

// maxRolls is how many formats there can be: the journal's and one of text.
const maxRolls = 2

// roll is lines of one format and where they go.
type roll struct {
	format  *accesslog.Format
	writers []*logsink.Writer
}

// openLedger opens what the configuration asks for.
func (g *gateway) openLedger() error {
	c, k := g.config, &ledger{}
	if err := g.openAccessLog(k); err != nil {
		k.close()
		return fmt.Errorf("access log: %w", err)
	}
	if c.StatsD != nil {
		k.stats = statsd.New(*c.StatsD, g.countLines, func(err error) {
			if err == nil {
				g.log.Info("StatsD is reached again")
				return
			}
			g.log.Warn("numbers could not be sent to StatsD", "address", c.StatsD.Address, "error", err)
		})
	}
	if len(k.rolls) > 0 || k.stats != nil {
		g.ledger = k
	}
	return nil
}

// countLines tells StatsD of lines in the error log.
func (g *gateway) countLines(k *statsd.Client) {
	errors, warnings := g.counts.Take()
	k.Logged(errors, warnings)
}

func (g *gateway) openAccessLog(k *ledger) error {
	c := g.config
	if c.AccessLog == accessJournal {
		format, err := accesslog.CompileJournal(c.AccessFormat)
		if err != nil {
			return err
		}
		g.addWriter(k.add(format), logsink.NewJournal(c.JournalSocket), "the journal")
	}
	inFile := c.AccessLog != "" && c.AccessLog != accessJournal
	if !inFile && c.AccessSyslog == nil {
		return nil
	}
	format, err := accesslog.Compile(c.AccessFormat)
	if err != nil {
		return err
	}
	s := k.add(format)
	if inFile {
		file := logsink.Borrow(g.stdout)
		if c.AccessLog != "-" {
			if file, err = logsink.OpenFile(c.AccessLog); err != nil {
				return err
			}
		}
		g.addWriter(s, file, c.AccessLog)
	}
	if to := c.AccessSyslog; to != nil {
		g.addWriter(s, logsink.NewSyslog(to.Syslog, to.Tag), to.Address)
	}
	return nil
}

func (k *ledger) add(format *accesslog.Format) *roll {
	k.rolls = append(k.rolls, roll{format: format})
	k.heads = k.heads || format.WantsHead()
	return &k.rolls[len(k.rolls)-1]
}

func (g *gateway) addWriter(s *roll, to logsink.Target, name string) {
	report := func(lost int, err error) {
		switch {
		case lost == 0:
			g.log.Error("access log could not be reopened", "to", name, "error", err)
		case err == nil:
			g.log.Warn("access log lines were dropped", "to", name, "count", lost, "limit", g.config.AccessBuffer)
		default:
			g.log.Error("access log could not be written", "to", name, "lost", lost, "error", err)
		}
	}
	s.writers = append(s.writers, logsink.NewWriter(to, g.config.AccessBuffer, report))
}

// reopen begins files anew, for whoever has renamed them.
func (g *gateway) reopen() {
	if g.reopenLog != nil {
		if err := g.reopenLog(); err != nil {
			g.log.Error("error log could not be reopened", "error", err)
		}
	}
	if g.ledger == nil {
		return
	}
	for i := range g.ledger.rolls {
		for _, w := range g.ledger.rolls[i].writers {
			w.Reopen()
		}
	}
}

// close writes and sends what is left, but does not wait for ever for a reader.
func (k *ledger) close() {
	if k == nil {
		return
	}
	for i := range k.rolls {
		for _, w := range k.rolls[i].writers {
			w.Close()
		}
	}
	k.stats.Close()
}

// sheet is a loop's own part of the ledger: what was noted in this round.
type sheet struct {
	ledger *ledger
	lines  [maxRolls][]byte
	count  int // lines in each
	tally  statsd.Tally
}

func (k *ledger) sheet() *sheet {
	if k == nil {
		return nil
	}
	return &sheet{ledger: k}
}

// flush gives the lines of a round to those who write them.
func (s *sheet) flush() {
	if s == nil || s.count == 0 {
		return
	}
	for i := range s.ledger.rolls {
		for _, w := range s.ledger.rolls[i].writers {
			w.Add(s.lines[i], s.count)
		}
		s.lines[i] = s.lines[i][:0]
	}
	s.count = 0
}

// report hands the numbers over.
func (s *sheet) report() {
	if s != nil {
		s.ledger.stats.Add(&s.tally)
	}
}

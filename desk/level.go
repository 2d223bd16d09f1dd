package desk

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/control"
)

// Levels remembers which log level comes back after one that was asked for a time. It
// belongs to the master's loop. The zero value is ready.
type Levels struct {
	changes int         // a later wish makes an earlier one's end void
	usual   hclog.Level // that comes back; NoLevel: none was asked for a time
}

// Change has log show what wish says. put gives the loop something to do in its turn.
func (l *Levels) Change(log hclog.Logger, wish control.Level, put func(func())) (control.Level, error) {
	level := map[string]hclog.Level{
		"trace": hclog.Trace, "debug": hclog.Debug, "info": hclog.Info, "warning": hclog.Warn, "error": hclog.Error,
	}[wish.Level]
	if level == hclog.NoLevel {
		return wish, control.Errorf(http.StatusBadRequest, "log level %q: there are trace, debug, info, warning and error", wish.Level)
	}
	before := log.GetLevel()
	l.changes++
	this := l.changes
	if l.usual == hclog.NoLevel {
		l.usual = before
	}
	log.SetLevel(level)
	log.Info("log level changed", "from", before, "to", level, "for", wish.Seconds)
	if wish.Seconds == 0 {
		l.usual = level
		return wish, nil
	}
	time.AfterFunc(time.Duration(wish.Seconds*float64(time.Second)), func() {
		put(func() {
			if l.changes == this {
				log.SetLevel(l.usual)
			}
		})
	})
	return wish, nil
}

// Configured hears that a level of the configuration was put in force: no wish of
// before counts any more.
func (l *Levels) Configured() { *l = Levels{changes: l.changes + 1} }

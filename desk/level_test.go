package desk

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/control"
)

// A level that was asked for a time goes back to the one that counts by then: to that
// of the configuration, to that which was asked for good, and never to a passing one.
func TestALevelForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := hclog.New(&hclog.LoggerOptions{Output: nullWriter{}, Level: hclog.Info})
		var levels Levels
		turns := make(chan func(), 8) // of the loop, which this goroutine is
		put := func(do func()) { turns <- do }
		ask := func(level string, seconds float64) {
			t.Helper()
			if _, err := levels.Change(log, control.Level{Level: level, Seconds: seconds}, put); err != nil {
				t.Fatal(err)
			}
		}
		after := func(d time.Duration, want hclog.Level, why string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			for len(turns) > 0 {
				(<-turns)()
			}
			if got := log.GetLevel(); got != want {
				t.Errorf("%s: level %v, want %v", why, got, want)
			}
		}
		ask("debug", 10)
		ask("trace", 20)
		after(15*time.Second, hclog.Trace, "the first time is over, the second is not")
		after(10*time.Second, hclog.Info, "both are over")
		ask("debug", 10)
		log.SetLevel(hclog.Error) // a reload
		levels.Configured()
		after(15*time.Second, hclog.Error, "a reload has put another level in force")
		ask("debug", 10)
		after(15*time.Second, hclog.Error, "a time that began after the reload is over")
		ask("warning", 0)
		ask("debug", 10)
		after(15*time.Second, hclog.Warn, "one for good was asked before")
		if _, err := levels.Change(log, control.Level{Level: "loud"}, put); err == nil || log.GetLevel() != hclog.Warn {
			t.Errorf("a level that there is not: %v, level %v", err, log.GetLevel())
		}
	})
}

type nullWriter struct{}

func (nullWriter) Write(p []byte) (int, error) { return len(p), nil }

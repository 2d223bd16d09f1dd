package desk

import (
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
)

const (
	// extendEvery and extendBy: systemd's start and stop timeouts are pushed on
	// while there is progress within our own limits, so that they need not be
	// known to each other. It must be said again before extendBy has passed.
	extendEvery = 2 * time.Second
	extendBy    = 10 * time.Second
)

// Voice tells systemd what becomes of a service (sd_notify(3)), and remembers what it
// said. It belongs to the master's loop. Where nobody listens it says nothing. What
// could not be told is logged, once: the service goes on, and its clients are not
// served worse for it.
type Voice struct {
	log      hclog.Logger
	to       *activation.Notifier // nil: nobody listens
	watchdog time.Duration        // systemd's interval; 0: it does not watch

	status   string    // the last STATUS
	withheld string    // why the last ping was not sent, or ""
	pinged   time.Time // when
	extended time.Time
	mute     bool // something could not be told
}

// NewVoice returns a voice that nobody hears until Find has found somebody.
func NewVoice(log hclog.Logger) Voice { return Voice{log: log} }

// Find finds out from the environment whether systemd listens to the process, and
// whether it watches it. Called again, as after an exec that failed, it keeps the
// connection.
func (v *Voice) Find(env activation.Env, pid int) (err error) {
	if v.to == nil {
		if v.to, err = activation.NewNotifier(env); err != nil {
			return err
		}
	}
	v.watchdog, err = activation.WatchdogInterval(env, pid)
	return err
}

// Close ends the connection.
func (v *Voice) Close() {
	if v.to != nil {
		_ = v.to.Close() // datagrams; what was sent is sent
	}
}

// Watchdog is the interval in which systemd wants a sign of life; 0: it does not watch.
func (v *Voice) Watchdog() time.Duration { return v.watchdog }

// Period is how often the master's loop has to turn by itself so that pings are in time,
// if it does so every usual without a watchdog.
func (v *Voice) Period(usual time.Duration) time.Duration {
	if v.watchdog == 0 {
		return usual
	}
	return min(usual, max(v.watchdog/12, 5*time.Millisecond))
}

// Ping pets the watchdog three times in its interval, unless the service is ill: then
// illness says why. The loop calls it once in a period.
func (v *Voice) Ping(now time.Time, period time.Duration, illness func() string) {
	if v.watchdog == 0 || now.Sub(v.pinged) < v.watchdog/3-period/2 {
		return
	}
	why := illness()
	if why != v.withheld {
		if v.withheld = why; why != "" {
			v.log.Error("watchdog pings withheld", "reason", why, "limit", v.watchdog)
		} else {
			v.log.Info("watchdog pings resumed")
		}
	}
	if why == "" {
		v.pinged = now
		v.told(v.to.Watchdog())
	}
}

// Withheld is why the last ping was not sent; "" if it was.
func (v *Voice) Withheld() string { return v.withheld }

// Trigger has systemd act as if the watchdog's interval had passed.
func (v *Voice) Trigger() { v.told(v.to.TriggerWatchdog()) }

// Extend keeps systemd from giving up on a service that is on its way up or down. The
// loop calls it as often as it likes, for as long as there is progress.
func (v *Voice) Extend(now time.Time) {
	if now.Sub(v.extended) >= extendEvery {
		v.extended = now
		v.told(v.to.ExtendTimeout(extendBy))
	}
}

// Say sends the status line if it changed, and reports whether it did.
func (v *Voice) Say(status string) bool {
	if status == v.status {
		return false
	}
	v.status = status
	v.told(v.to.Status(status))
	return true
}

// Ready tells systemd that the service serves, or that a reload is over.
func (v *Voice) Ready(status string) {
	v.status = status
	v.told(v.to.Ready(status))
}

// Reloading tells it that a reload runs. Ready ends it, whatever the outcome.
func (v *Voice) Reloading(status string) {
	v.status = status
	v.told(v.to.Reloading(activation.Monotonic(), status))
}

// Stopping tells it that the service is on its way down.
func (v *Voice) Stopping(status string) {
	v.status = status
	v.told(v.to.Stopping(status))
}

// Failed tells it why the service ends. The number is what `systemctl status` shows
// as "Error:" beside the words.
func (v *Voice) Failed(err error, number unix.Errno) {
	v.status = "failed: " + err.Error()
	v.told(v.to.Status(v.status))
	v.told(v.to.Errno(int(number)))
}

// told logs, once, that systemd could not be told something.
func (v *Voice) told(err error) {
	if err == nil || v.mute {
		return
	}
	v.mute = true
	v.log.Warn("systemd could not be told", "error", err)
}

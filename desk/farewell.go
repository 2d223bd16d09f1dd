package desk

import (
	"fmt"
	"time"
)

// Farewell is the time between the order to stop and the stop, if shutdown_delay
// asks for one. The service accepts and answers as before, but says that it is not
// ready, so that load balancers send their clients elsewhere before it drains. The
// zero value is that of a service that nobody has asked to stop. It belongs to the
// master's loop.
type Farewell struct {
	until  time.Time // when to stop
	delay  time.Duration
	reason string
}

// Begin notes the order to stop, and when that is to be. Reason is what it came by.
func (f *Farewell) Begin(now time.Time, delay time.Duration, reason string) {
	*f = Farewell{until: now.Add(delay), delay: delay, reason: reason}
}

// Begun reports whether somebody has asked the service to stop.
func (f *Farewell) Begun() bool { return !f.until.IsZero() }

// Due reports whether the time to stop has come.
func (f *Farewell) Due(now time.Time) bool { return f.Begun() && !now.Before(f.until) }

// Reason is what the order to stop came by; "" if there was none.
func (f *Farewell) Reason() string { return f.reason }

// Words is what the status line says of it; "" if nobody has asked the service to stop.
func (f *Farewell) Words() string {
	if !f.Begun() {
		return ""
	}
	return fmt.Sprintf("not ready, stops %v after %s", f.delay, f.reason)
}

package master

import "time"

// budget says when a gateway or a mold that died may be started again. A first
// death is answered at once, because clients are waiting; one that keeps dying
// would take the processor from everybody else, so it waits ever longer.
//
// The zero value is ready. It is owned by the master's loop.
type budget struct {
	deaths []time.Time // within budgetPeriod of the latest
	wait   time.Duration
}

const (
	budgetDeaths = 5                // this many in budgetPeriod cost no wait
	budgetPeriod = 10 * time.Second // also how long it must live to be trusted again
	budgetFirst  = 100 * time.Millisecond
	budgetMax    = 10 * time.Second
)

// died notes a death and returns how long to wait before the next start.
func (b *budget) died(now time.Time) time.Duration {
	period := max(budgetPeriod, 2*b.wait) // the waits themselves must not count as good conduct
	kept := b.deaths[:0]
	for _, t := range b.deaths {
		if now.Sub(t) < period {
			kept = append(kept, t)
		}
	}
	b.deaths = append(kept, now)
	if len(b.deaths) <= budgetDeaths {
		b.wait = 0
		return 0
	}
	b.deaths = b.deaths[len(b.deaths)-budgetDeaths-1:] // more are not needed to know that it is too many
	b.wait = min(max(2*b.wait, budgetFirst), budgetMax)
	return b.wait
}

// exhausted reports that the latest death had to wait.
func (b *budget) exhausted() bool { return b.wait > 0 }

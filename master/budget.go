package master

import (
	"slices"
	"time"
)

// budget says when a gateway or a mold that died may be started again. A first
// death is answered at once, because clients are waiting; one that keeps dying
// would take the processor from everybody else, so it waits ever longer.
//
// The zero value is ready. It is owned by the master's loop.
type budget struct {
	deaths []time.Time   // within budgetPeriod of the latest; the latest is the last
	wait   time.Duration // after the latest death
}

const (
	budgetDeaths = 5                // this many in budgetPeriod cost no wait
	budgetPeriod = 10 * time.Second // also how long it must live to be trusted again
	budgetFirst  = 100 * time.Millisecond
	budgetMax    = 10 * time.Second
)

// died notes a death and returns how long to wait before the next start.
func (b *budget) died(now time.Time) time.Duration {
	if b.wait > 0 {
		started := b.deaths[len(b.deaths)-1].Add(b.wait)
		if now.Sub(started) < budgetPeriod {
			b.deaths = append(b.deaths[:0], now)
			b.wait = min(2*b.wait, budgetMax)
			return b.wait
		}
		b.deaths, b.wait = nil, 0
	}
	b.deaths = slices.DeleteFunc(b.deaths, func(t time.Time) bool { return now.Sub(t) >= budgetPeriod })
	b.deaths = append(b.deaths, now)
	if len(b.deaths) > budgetDeaths {
		b.wait = budgetFirst
	}
	return b.wait
}

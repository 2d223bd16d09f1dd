package pool

import "time"

// Budget bounds how fast workers that die are replaced. A zero field has the
// default named beside it.
//
// A death costs one restart unless the worker was on its way out. While
// restarts are left, a worker that had become ready is replaced at once, and
// so is the first of a slot that dies before; each further death before ready,
// and each death past the budget, makes its slot wait: BackoffMin, then twice
// as long each time, up to BackoffMax. A worker that stayed ready for Period
// makes the next wait of its slot the shortest again.
type Budget struct {
	Restarts   int           // deaths within Period that are replaced at once (20)
	Period     time.Duration // (10 s)
	BackoffMin time.Duration // the first wait (100 ms)
	BackoffMax time.Duration // the longest wait (30 s)
}

func (b Budget) withDefaults() Budget {
	if b.Restarts == 0 {
		b.Restarts = 20
	}
	if b.Period == 0 {
		b.Period = 10 * time.Second
	}
	if b.BackoffMin == 0 {
		b.BackoffMin = 100 * time.Millisecond
	}
	if b.BackoffMax == 0 {
		b.BackoffMax = max(30*time.Second, b.BackoffMin)
	}
	return b
}

// pause is the length of the nth wait of a slot in a row, n from 0.
func (b Budget) pause(n int) time.Duration {
	wait := b.BackoffMin
	for ; n > 0; n-- {
		if wait > b.BackoffMax/2 { // asked before doubling, which could overflow
			return b.BackoffMax
		}
		wait *= 2
	}
	return wait
}

// purse keeps the deaths of the last Period, oldest first, at most
// Restarts+1 of them: more would not change an answer.
type purse struct {
	deaths []time.Duration
}

// spend charges a death at now and reports whether it was within the budget.
func (p *purse) spend(b Budget, now time.Duration) bool {
	old := 0
	for old < len(p.deaths) && now-p.deaths[old] >= b.Period {
		old++
	}
	p.deaths = append(p.deaths[:0], p.deaths[old:]...)
	p.deaths = append(p.deaths, now)
	if len(p.deaths) > b.Restarts+1 {
		p.deaths = append(p.deaths[:0], p.deaths[1:]...)
	}
	return len(p.deaths) <= b.Restarts
}

// tries is what a slot remembers of its earlier workers.
type tries struct {
	missed bool // the last worker died before it was ready
	pauses int  // waits in a row
}

// after says how long the slot waits before it is filled again. wasReady is
// how long the worker had been ready, 0 if it never was; room is what spend
// said.
func (t *tries) after(b Budget, booted bool, wasReady time.Duration, room bool) time.Duration {
	if booted && wasReady >= b.Period {
		t.pauses = 0
	}
	excused := room && (booted || !t.missed)
	t.missed = !booted
	if excused {
		return 0
	}
	return t.failed(b)
}

// failed is the wait after a spawn that came to nothing. There is always one:
// a fork that was refused is refused again a microsecond later.
func (t *tries) failed(b Budget) time.Duration {
	wait := b.pause(t.pauses)
	t.pauses++
	return wait
}

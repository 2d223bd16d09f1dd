package pool

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// lawful is the table of moves once more, as sentences, so that a change of
// the table is a change of two places and meant.
const lawful = `
vacant   spawned  starting
starting ready    idle
starting retire   draining
starting aborted  aborting
starting overdue  killed
starting reaped   vacant
idle     taken    busy
idle     retire   draining
idle     aborted  aborting
idle     overdue  killed
idle     reaped   vacant
busy     returned idle
busy     retire   draining
busy     aborted  aborting
busy     overdue  killed
busy     reaped   vacant
draining ready    draining
draining returned draining
draining retire   draining
draining aborted  aborting
draining overdue  killed
draining reaped   vacant
aborting ready    aborting
aborting returned aborting
aborting retire   aborting
aborting overdue  killed
aborting reaped   vacant
killed   ready    killed
killed   returned killed
killed   retire   killed
killed   reaped   vacant
`

// Every pair of phase and event: the lawful ones move as the sentences say,
// all others are refused with their type and do not move.
func TestEveryPairOfPhaseAndEvent(t *testing.T) {
	t.Parallel()
	want := make(map[string]string)
	for line := range strings.Lines(strings.TrimSpace(lawful)) {
		words := strings.Fields(line)
		want[words[0]+" "+words[1]] = words[2]
	}
	seen := 0
	for p := range numPhases {
		for e := range numEvents {
			pair := fmt.Sprintf("%v %v", p, e)
			to, err := next(p, e)
			if goal, ok := want[pair]; ok {
				seen++
				if err != nil || to.String() != goal {
					t.Errorf("%s: got %v, %v, want %s", pair, to, err, goal)
				}
				continue
			}
			var refused *MoveError
			if !errors.As(err, &refused) || refused.From != p || refused.Event != e || to != p {
				t.Errorf("%s: got %v, %v, want a MoveError for the pair and no move", pair, to, err)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("met %d of %d lawful pairs: a name is misspelt", seen, len(want))
	}
}

func TestPairsOutsideTheTableAreRefused(t *testing.T) {
	t.Parallel()
	for _, pair := range []struct {
		p Phase
		e Event
	}{{numPhases, Reaped}, {Idle, numEvents}, {255, 255}} {
		if to, err := next(pair.p, pair.e); err == nil || to != pair.p {
			t.Errorf("next(%v, %v): got %v, %v, want a refusal", pair.p, pair.e, to, err)
		}
	}
}

// A process that ended leaves its slot, whatever we thought it was doing.
func TestReapAlwaysVacates(t *testing.T) {
	t.Parallel()
	for p := Starting; p < numPhases; p++ {
		if to, err := next(p, Reaped); err != nil || to != Vacant {
			t.Errorf("%v reaped: got %v, %v, want vacant", p, to, err)
		}
	}
}

// A process on its way out must not be given another request.
func TestOnlyIdleBecomesBusy(t *testing.T) {
	t.Parallel()
	for p := range numPhases {
		for e := range numEvents {
			if to, err := next(p, e); err == nil && to == Busy && p != Busy && p != Idle {
				t.Errorf("%v became busy by %v", p, e)
			}
		}
	}
}

// From draining, aborting and killed only the end is ahead.
func TestNobodyReturnsFromDraining(t *testing.T) {
	t.Parallel()
	for _, p := range []Phase{Draining, Aborting, Killed} {
		for e := range numEvents {
			if to, err := next(p, e); err == nil && to != p && to != Aborting && to != Killed && to != Vacant {
				t.Errorf("%v %v: got %v", p, e, to)
			}
		}
	}
}

func TestNamesAreDistinctWords(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	check := func(name string) {
		if seen[name] || strings.Contains(name, "(") {
			t.Errorf("name %q: used twice, or missing", name)
		}
		seen[name] = true
	}
	for p := range numPhases {
		check(p.String())
	}
	for e := range numEvents {
		check(e.String())
	}
	for c := range numCauses {
		check(c.String())
	}
	if got := Overran.String(); got != "timeout" {
		t.Errorf("Overran is %q, want timeout", got)
	}
	if got := fmt.Sprint(numPhases, numEvents, numCauses); strings.Count(got, "(") != 3 {
		t.Errorf("values outside: got %s, want numbers in brackets", got)
	}
}

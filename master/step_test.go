package master

import (
	"testing"

	"github.com/hashicorp/go-hclog"
)

// Every pair that is not listed changes nothing.
func TestStepsOfAReload(t *testing.T) {
	lawful := map[step]map[turn]step{
		calm:     {asked: reading, differs: checking},
		checking: {approved: quieting, failed: undoing},
		quieting: {executed: reading, failed: undoing},
		reading:  {settled: raising, failed: undoing},
		raising:  {raised: moving, failed: undoing},
		moving:   {moved: leaving, failed: undoing},
		leaving:  {gone: calm},
		undoing:  {gone: calm},
	}
	for from := range numSteps {
		for event := range numTurns {
			m := &master{log: hclog.NewNullLogger()}
			m.reload.step = from
			m.move(event)
			want, ok := lawful[from][event]
			if !ok {
				want = from
			}
			if m.reload.step != want {
				t.Errorf("%v when it is %v: got %v, want %v", from, event, m.reload.step, want)
			}
		}
	}
}

// However a reload goes, it comes back to where the next can begin.
func TestEveryReloadEnds(t *testing.T) {
	for from := range numSteps {
		reached, seen := map[step]bool{from: true}, 0
		for len(reached) > seen {
			seen = len(reached)
			for s := range reached {
				for _, m := range stepMoves[s] {
					if m.lawful {
						reached[m.to] = true
					}
				}
			}
		}
		if !reached[calm] {
			t.Errorf("from %v a reload never ends", from)
		}
	}
}

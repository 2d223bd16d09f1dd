package master

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// The end of a reload is reported when nothing new goes to the generation before: with
// the same gateway when that says so, with another one when the one before accepts no
// more, or has not said anything for too long.
func TestWhenTheTrafficHasMoved(t *testing.T) {
	now := time.Now()
	owes := func(since time.Duration) *gate {
		return &gate{child: &child{pid: 1}, probe: probe{number: 7, sent: now.Add(-since)}}
	}
	answered, drained := owes(time.Second), owes(time.Second)
	answered.probed(7)
	drained.drained = true
	answeredEarlier := owes(time.Second)
	answeredEarlier.probed(6)
	ours := &gate{child: &child{pid: 2}}
	for name, c := range map[string]struct {
		gate   *gate
		spared bool
		awake  time.Time
		want   bool
	}{
		"the same gateway":                         {gate: ours},
		"the same gateway, which has said so":      {gate: ours, spared: true, want: true},
		"the one before owes an answer":            {gate: owes(time.Second)},
		"… that it gave":                           {gate: answered, want: true},
		"… and gave one that was asked for before": {gate: answeredEarlier},
		"it has drained":                           {gate: drained, want: true},
		"it is dead":                               {gate: &gate{}, want: true},
		"it is stuck":                              {gate: owes(asideLimit), want: true},
		"we ourselves were stopped meanwhile":      {gate: owes(time.Minute), awake: now.Add(-time.Second)},
	} {
		m := newMaster(Config{Log: hclog.NewNullLogger()})
		m.gen = &generation{number: 2, gate: ours}
		m.reload.prior = &generation{number: 1, gate: c.gate, spared: c.spared}
		m.awake = c.awake
		if got := m.traded(now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

package master

import (
	"testing"
	"time"

	"github.com/indrik/indrik/pool"
)

// A load balancer is to send clients only where they are answered, and not where they
// will soon not be.
func TestReadiness(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*master)
		want   bool
	}{
		"serves":     {func(*master) {}, true},
		"boots":      {func(m *master) { m.stage = booting }, false},
		"stops":      {func(m *master) { m.stage = stopping }, false},
		"stops soon": {func(m *master) { m.farewell.Begin(time.Now(), time.Hour, "SIGTERM") }, false},
		"no worker":  {func(m *master) { m.gen.workers[0].phase = pool.Starting }, false},
		"no gateway": {func(m *master) { m.gen.gate.serving = false }, false},
	} {
		m := &master{stage: serving, gen: &generation{
			gate: &gate{serving: true}, workers: map[pool.SlotID]*worker{0: {phase: pool.Idle}},
		}}
		if c.change(m); m.ready() != c.want {
			t.Errorf("%s: ready is %v", name, m.ready())
		}
	}
}

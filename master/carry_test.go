package master

import (
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/metrics"
)

// Whatever is counted and remembered is the same after it was carried.
func TestCarry(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	before := &master{plan: &plan{}}
	before.tolls.Tolls = desk.Tolls{
		Ends: map[string]uint64{"asked": 3}, Restarts: map[string]uint64{"mold": 1}, Done: 4, Failed: 5, Reloaded: time.Minute,
		Last: &metrics.Reload{At: at, Took: metrics.Seconds(1500 * time.Millisecond), Failed: "no"},
	}
	before.tolls.Gateways.Accepted, before.tolls.Gateways.Requests[1][2] = 12, 13
	before.reloads = desk.Reloads{
		Last: 9, Queued: &control.Reload{ID: 9, State: control.Queued, Asked: at}, Now: &control.Reload{ID: 8, State: control.Running, Asked: at},
		Past: []control.Reload{{ID: 7, State: control.Failed, Reason: "why"}},
	}
	slot := 3
	before.chronicle = desk.Chronicle{Events: []control.Event{{Time: at, What: "reload begun"}}, Deaths: []control.Event{{Time: at, What: "worker died", Slot: &slot}}}
	st := &state{}
	waiting := before.reloads.Next()
	before.carry(st)
	select {
	case <-waiting:
	default:
		t.Error("who waits for news of a reload is not woken")
	}
	after := &master{log: hclog.NewNullLogger(), plan: &plan{}}
	after.carried(st)
	for what, pair := range map[string][2]any{
		"tolls": {before.tolls, after.tolls}, "reloads": {before.reloads, after.reloads}, "events": {before.chronicle, after.chronicle},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %+v, want %+v", what, pair[1], pair[0])
		}
	}
}

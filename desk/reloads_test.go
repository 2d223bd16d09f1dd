package desk

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/indrik/indrik/control"
)

// bootError is what a master fails a reload with that has an application's traceback.
type bootError struct{ text string }

func (e bootError) Error() string     { return "it does not come up" }
func (e bootError) Traceback() string { return e.text }

// Wishes that come while a reload runs are one reload; each learns its outcome by its
// number, also from the next image of the process.
func TestTheRegisterOfReloads(t *testing.T) {
	t.Parallel()
	var r Reloads
	now := time.Now()
	state := func(id int64) (text string) {
		found, known := r.Find(id, now, "half way")
		if !known {
			return "unknown"
		}
		return found.State + found.Progress + found.Traceback
	}
	first := r.Asked(now).ID
	news := r.Next()
	r.Begun(now)
	select {
	case <-news:
	default:
		t.Error("who waits is not told that it has begun")
	}
	second := r.Asked(now).ID
	if again := r.Asked(now).ID; first == second || again != second {
		t.Errorf("three wishes got the numbers %d, %d and %d", first, second, again)
	}
	if state(first) != control.Running+"half way" || state(second) != control.Queued || state(9) != "unknown" {
		t.Errorf("while the first runs: %s, %s, %s", state(first), state(second), state(9))
	}
	r.Ended(bootError{"line 1"}, 1, now)
	if state(first) != control.Failed+"line 1" {
		t.Errorf("the first: %s", state(first))
	}
	text, err := json.Marshal(&r)
	var next Reloads
	if err != nil || json.Unmarshal(text, &next) != nil {
		t.Fatalf("the register as JSON: %s, %v", text, err)
	}
	r = next
	r.Dropped(errors.New("stopping"), 1, now)
	if state(second) != control.Failed || r.Latest() != second {
		t.Errorf("dropped: %s, the latest is %d", state(second), r.Latest())
	}
	for range KeptReloads {
		r.Begun(now)
		r.Ended(nil, 2, now)
	}
	if state(second) != "unknown" || state(r.Latest()) != control.Done {
		t.Errorf("after %d more: %s and %s", KeptReloads, state(second), state(r.Latest()))
	}
}

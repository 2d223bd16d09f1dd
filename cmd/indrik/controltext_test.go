package main

import (
	"strings"
	"testing"

	"github.com/indrik/indrik/control"
)

// What a person reads is said once and in words where there is nothing to list.
func TestTextsOfTheStatus(t *testing.T) {
	for _, c := range []struct {
		reload control.Reload
		want   string
	}{
		{control.Reload{ID: 3, State: control.Running, Seconds: 2, Progress: "reload: 1 of 4 workers of generation 2 ready"}, "3 runs for 2s: 1 of 4 workers of generation 2 ready"},
		{control.Reload{ID: 3, State: control.Running, Rollback: true, Progress: "rollback: 1 of 4"}, "3 runs for 0s: 1 of 4"},
		{control.Reload{ID: 4, State: control.Queued}, "4 waits for its turn"},
	} {
		if got := reloadText(c.reload); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := workerTable(nil); got != "No worker is there.\n" {
		t.Errorf("without workers: %q", got)
	}
	slot := 2
	all := []control.Request{
		{ID: "0x1", State: control.Held, Method: "GET", Path: "/a\x1b[2J b", Client: "192.0.2.1", Slot: &slot, Generation: 1, PID: 7, Age: 1.5},
		{ID: "0x2", State: control.InQueue, Method: "POST", Path: "/b", Age: 1, Waited: 1},
		{ID: "0x3", State: control.Held, Slot: &slot, Generation: 1, PID: 7},
	}
	got := requestTable(all, 3)
	for _, want := range []string{`GET "/a\x1b[2J b"`, "POST /b\n", "0x3  -\n", "queued  -          -     -     -    -", "The oldest 3"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	if got := requestTable(all, 4); strings.Contains(got, "The oldest") {
		t.Errorf("all of them are\n%s", got)
	}
}

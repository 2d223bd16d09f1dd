package desk

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestScales(t *testing.T) {
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log})
	var s Scales
	start := time.Now()
	weighed := make(chan []Weight)
	weigh := func(after time.Duration) {
		list := func() []Weight { return []Weight{{Slot: 0, PID: 10}, {Slot: 1, PID: 11}, {Slot: 2, PID: 12}} }
		read := func(pid int) (int, bool, error) {
			if pid == 11 {
				return 0, false, os.ErrNotExist
			}
			return pid * 100, pid == 12, nil
		}
		s.Weigh(start.Add(after), 10*time.Second, list, read, func(all []Weight) { weighed <- all })
	}
	for round, after := range []time.Duration{0, 10 * time.Second} {
		weigh(after)
		weigh(after + 30*time.Second) // the first is not over: no second goroutine, which nobody would hear
		all := <-weighed
		if len(all) != 2 || all[0].Bytes != 1000 || all[1].Bytes != 1200 {
			t.Fatalf("round %d: weighed %v, want those of 10 and 12", round, all)
		}
		want := []Weight{{Slot: 2, PID: 12, Bytes: 1200, Own: true}}
		if large := s.Heavier(all, 1000, logger); !slices.Equal(large, want) {
			t.Errorf("round %d: more than 1000 have %v, want %v", round, large, want)
		}
		weigh(after + 9*time.Second) // not yet
	}
	select {
	case all := <-weighed:
		t.Errorf("weighed %v before the interval was over", all)
	case <-time.After(10 * time.Millisecond):
	}
	if strings.Count(log.String(), "memory that workers share is not counted") != 1 {
		t.Errorf("the log has not one line of it:\n%s", &log)
	}
	s.Weigh(start.Add(time.Hour), 10*time.Second, func() []Weight { return nil }, nil, nil) // nobody to weigh
}

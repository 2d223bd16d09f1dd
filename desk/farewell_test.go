package desk

import (
	"testing"
	"time"
)

func TestFarewell(t *testing.T) {
	now := time.Now()
	var f Farewell
	if f.Begun() || f.Due(now.Add(time.Hour)) || f.Words() != "" {
		t.Error("nobody has asked it to stop")
	}
	f.Begin(now, 5*time.Second, "SIGTERM")
	if !f.Begun() || f.Due(now.Add(4*time.Second)) || !f.Due(now.Add(5*time.Second)) {
		t.Error("it must stop five seconds after it was asked")
	}
	if got := f.Words(); got != "not ready, stops 5s after SIGTERM" || f.Reason() != "SIGTERM" {
		t.Errorf("it says %q", got)
	}
}

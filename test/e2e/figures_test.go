package e2e

import (
	"time"

	"github.com/indrik/indrik/control"
)

// wantFigures checks what the status says of n requests, all of them short and none
// of them with a fault.
func (s *controlled) wantFigures(st control.Status, n uint64) {
	s.t.Helper()
	for _, w := range st.Workers {
		if w.At.Before(st.Since) || time.Since(w.At) > patience {
			s.t.Errorf("the kernel was asked of worker %d at %v", w.PID, w.At)
		}
	}
	if tt := st.Totals; tt.Answered != n || tt.Failed != 0 || tt.Sent < n*uint64(len("hello")) || tt.Received < n*16 {
		s.t.Errorf("totals: %+v", tt)
	} else if most, known := tt.Latency.Quantile(1); !known || most <= 0 || most > patience.Seconds() {
		s.t.Errorf("the longest of %d requests took %v s (%v)", n, most, known)
	}
}

package settings

import (
	"testing"
	"time"
)

// Nobody who did not ask for it has a request ended or a worker replaced.
func TestDeadlinesAreOffByDefault(t *testing.T) {
	v := resolve(t)
	for name, got := range map[string]any{
		"request_timeout": v.RequestTimeout(), "slow_request": v.SlowRequest(),
		"max_worker_age": v.MaxWorkerAge(), "max_worker_age_jitter": v.MaxWorkerAgeJitter(),
	} {
		if got != time.Duration(0) {
			t.Errorf("%s: got %v, want 0", name, got)
		}
	}
	if got := v.MaxWorkerMemory(); got != 0 {
		t.Errorf("max_worker_memory: got %d, want 0", got)
	}
	if grace, every := v.RequestTimeoutGrace(), v.WorkerMemoryInterval(); grace != 5*time.Second || every != 10*time.Second {
		t.Errorf("request_timeout_grace %v, worker_memory_interval %v; want 5s, 10s", grace, every)
	}
}

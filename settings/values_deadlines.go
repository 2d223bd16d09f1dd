package settings

import "time"

// RequestTimeout returns how long one request may take in a worker of any class; 0
// for no limit.
func (v *Values) RequestTimeout() time.Duration { return of[time.Duration](v, "request_timeout") }

// RequestTimeoutGrace returns how long after RequestTimeout the worker of a request
// that has not ended is killed; 0 for at once.
func (v *Values) RequestTimeoutGrace() time.Duration {
	return of[time.Duration](v, "request_timeout_grace")
}

// SlowRequest returns after how long the stack of a request is logged; 0 for never.
func (v *Values) SlowRequest() time.Duration { return of[time.Duration](v, "slow_request") }

// MaxWorkerAge returns how long a worker may have been ready before it is replaced;
// 0 for no limit.
func (v *Values) MaxWorkerAge() time.Duration { return of[time.Duration](v, "max_worker_age") }

// MaxWorkerAgeJitter returns the longest time that is added to it, by chance.
func (v *Values) MaxWorkerAgeJitter() time.Duration {
	return of[time.Duration](v, "max_worker_age_jitter")
}

// MaxWorkerMemory returns with how many bytes of memory a worker is replaced; 0 for
// no limit.
func (v *Values) MaxWorkerMemory() int { return of[int](v, "max_worker_memory") }

// WorkerMemoryInterval returns how often the workers' memory is looked at, at least
// 1 s.
func (v *Values) WorkerMemoryInterval() time.Duration {
	return of[time.Duration](v, "worker_memory_interval")
}

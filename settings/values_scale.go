package settings

import "time"

// MinWorkers returns the fewest workers that scaling leaves, 1 to 1024; 0 if that is
// the number to begin with.
func (v *Values) MinWorkers() int { return of[int](v, "min_workers") }

// MaxWorkers returns the most workers that scaling makes, 1 to 1024; 0 if that is the
// number to begin with.
func (v *Values) MaxWorkers() int { return of[int](v, "max_workers") }

// ScaleUpWait returns how long a request may wait before workers are added.
func (v *Values) ScaleUpWait() time.Duration { return of[time.Duration](v, "scale_up_wait") }

// ScaleUpPressure returns from which pressure on the processors on none are added, in
// percent; 101 for any.
func (v *Values) ScaleUpPressure() int { return of[int](v, "scale_up_pressure") }

// ScaleDownIdle returns how long a worker must have been too many, at least 1 s.
func (v *Values) ScaleDownIdle() time.Duration { return of[time.Duration](v, "scale_down_idle") }

// WorkerMemoryHigh returns from how many bytes on the kernel slows a worker down; 0
// for no limit.
func (v *Values) WorkerMemoryHigh() int { return of[int](v, "worker_memory_high") }

// ControlGroups returns "auto", "on" or "off".
func (v *Values) ControlGroups() string { return of[string](v, "control_groups") }

// IdleExit returns after how long without a client the service ends; 0 for never.
func (v *Values) IdleExit() time.Duration { return of[time.Duration](v, "idle_exit") }

package settings

import (
	"slices"
	"time"
)

// Threads returns how many requests a gthread worker answers at a time, 1 to
// 1024.
func (v *Values) Threads() int { return of[int](v, "threads") }

// WorkerConnections returns how many requests a gevent, eventlet or asgi worker
// holds at a time, 1 to 65536.
func (v *Values) WorkerConnections() int { return of[int](v, "worker_connections") }

// MaxRequests returns after how many requests a worker is replaced; 0 for never.
func (v *Values) MaxRequests() int { return of[int](v, "max_requests") }

// MaxRequestsJitter returns the largest number that is added to it, by chance.
func (v *Values) MaxRequestsJitter() int { return of[int](v, "max_requests_jitter") }

// BootTimeout returns how long a worker may take to be ready, at least 1 s.
func (v *Values) BootTimeout() time.Duration { return of[time.Duration](v, "boot_timeout") }

// BootConcurrency returns how many workers may boot at the same time; 0 leaves it
// to the number of processors.
func (v *Values) BootConcurrency() int { return of[int](v, "boot_concurrency") }

// BootNice returns how much is added to the nice value of processes that boot while
// others serve, 0 to 19.
func (v *Values) BootNice() int { return of[int](v, "boot_nice") }

// KeepPrevious returns how long the generation before stays after a reload, for a
// rollback; 0 keeps none.
func (v *Values) KeepPrevious() time.Duration { return of[time.Duration](v, "keep_previous") }

// ReadyWorkers returns how many workers of a new generation must be ready before it
// takes over; 0 for all.
func (v *Values) ReadyWorkers() int { return of[int](v, "ready_workers") }

// PreloadApp reports that the mold loads the application, before it forks.
func (v *Values) PreloadApp() bool { return of[bool](v, "preload_app") }

// Reload reports that changed files replace the workers.
func (v *Values) Reload() bool { return of[bool](v, "reload") }

// ReloadEngine returns "auto", "poll" or "inotify", which all mean the same.
func (v *Values) ReloadEngine() string { return of[string](v, "reload_engine") }

// ReloadExtraFiles returns the paths of files to watch beside the modules.
func (v *Values) ReloadExtraFiles() []string {
	return slices.Clone(of[[]string](v, "reload_extra_files"))
}

// User returns the user that workers run as, a name or a number; "" for no
// change.
func (v *Values) User() string { return of[string](v, "user") }

// Group returns the group that workers run as, a name or a number; "" for no
// change.
func (v *Values) Group() string { return of[string](v, "group") }

// Umask returns the mask of rights, 0 to 0o777. For workers it counts only if it
// was given: see Source("umask").
func (v *Values) Umask() int { return of[int](v, "umask") }

// Initgroups reports that workers get the supplementary groups of User.
func (v *Values) Initgroups() bool { return of[bool](v, "initgroups") }

// Interface returns "auto", "wsgi" or "asgi".
func (v *Values) Interface() string { return of[string](v, "interface") }

// ASGILoop returns "auto", "asyncio" or "uvloop".
func (v *Values) ASGILoop() string { return of[string](v, "asgi_loop") }

// ASGILifespan returns "auto", "on" or "off".
func (v *Values) ASGILifespan() string { return of[string](v, "asgi_lifespan") }

// Scheduling returns "batch" or "inherit".
func (v *Values) Scheduling() string { return of[string](v, "scheduling") }

// RootPath returns the path that an ASGI application is mounted below, or "".
func (v *Values) RootPath() string { return of[string](v, "root_path") }

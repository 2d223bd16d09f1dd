package activation

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// WatchdogInterval returns the time after which systemd takes process pid, the
// calling process, for dead unless it hears [Notifier.Watchdog]; send that at
// half of it or more often. It is 0 if no watchdog is set or it watches another
// process. It reads WATCHDOG_USEC and WATCHDOG_PID as sd_watchdog_enabled(3)
// describes; a value that is not a positive number of microseconds is an error,
// because going on without a watchdog that was asked for would be a lie.
func WatchdogInterval(env Env, pid int) (time.Duration, error) {
	text := env(envWatchdogUsec)
	if text == "" {
		return 0, nil
	}
	if env(envWatchdogPID) != "" {
		if ours, err := addressedTo(env, envWatchdogPID, pid); err != nil || !ours {
			return 0, err
		}
	}
	usec, err := strconv.ParseUint(text, 10, 64)
	if err != nil || usec == 0 || usec > math.MaxInt64/uint64(time.Microsecond) {
		return 0, fmt.Errorf("read %s=%q: not a time in microseconds", envWatchdogUsec, text)
	}
	return time.Duration(usec) * time.Microsecond, nil
}

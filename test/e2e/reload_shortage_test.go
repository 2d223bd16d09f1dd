package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Descriptors may run out at any step of a reload, with an exec or without: the reload
// is refused and says why, the old generation serves, nothing leaks, and the next reload
// works.
func TestReloadsWithoutDescriptors(t *testing.T) {
	w := install(t, later(t))
	s := serve(t, w.launch("-w", "3"))
	s.allow("reload failed", "gateway failed", "gateway ended", "could not take over", "worker ended", "mold ended", "could not be", "spawn failed")
	s.allServe(3)
	before := descriptors(t, s.pid)
	done, failed := 0, 0
	for signal, rooms := range map[syscall.Signal][]int{
		syscall.SIGHUP:  {0, 1, 2, 3, 5, 6, 8, 9, 12, 15, 20}, // in turn: configuration, counters, boards, lanes, mold, worker, gateway
		syscall.SIGUSR2: {0, 2, 4, 5, 7, 26, 28},              // preflight, and what an exec needs
	} {
		for _, room := range rooms {
			w.put("indrik.toml", fmt.Sprintf("keepalive = %d\n", 1000+done+failed)) // for another gateway
			lift := s.limitFiles(room)
			s.kill(s.pid, signal)
			retried := s.stderr.count("spawn failed")
			s.until("the reload is over, or waits for descriptors", func() bool {
				return s.stderr.count("indrik.master: reload done")+s.stderr.count("indrik.master: reload failed") > done+failed ||
					s.stderr.count("spawn failed") > retried
			})
			lift()
			s.until("the reload is over", func() bool {
				return s.stderr.count("indrik.master: reload done")+s.stderr.count("indrik.master: reload failed") > done+failed
			})
			if n := s.stderr.count("indrik.master: reload failed"); n > failed {
				failed = n
				line := s.stderr.await(t, n, "indrik.master: reload failed")
				if !strings.Contains(line, "too many open files") {
					t.Errorf("with room for %d descriptors: %s", room, line)
				}
			} else {
				done++
			}
			s.hangUp()
			s.wants("/version", 200, "1")
		}
	}
	if done < 3 || failed < 10 {
		t.Errorf("%d reloads with few descriptors succeeded, %d failed: the limits do not bite where they should", done, failed)
	}
	w.version("2")
	s.exchange(done + 1)
	s.hangUp()
	s.wants("/version", 200, "2")
	s.hangUp()
	s.until("the master has as many descriptors as before", func() bool { return descriptors(t, s.pid) <= before+compiled })
	s.stop()
}

// limitFiles leaves the master room for so many more descriptors, until lift is called.
func (s *service) limitFiles(room int) (lift func()) {
	s.t.Helper()
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	taken := map[string]bool{}
	for _, name := range names {
		taken[name.Name()] = true
	}
	limit := 0 // what the kernel limits is the number of a descriptor
	for free := 0; free <= room; limit++ {
		if !taken[strconv.Itoa(limit)] {
			free++
		}
	}
	var usual unix.Rlimit
	if err := unix.Prlimit(s.pid, unix.RLIMIT_NOFILE, nil, &usual); err != nil {
		s.t.Fatal(err)
	}
	limited := unix.Rlimit{Cur: uint64(limit - 1), Max: usual.Max}
	if err := unix.Prlimit(s.pid, unix.RLIMIT_NOFILE, &limited, nil); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := unix.Prlimit(s.pid, unix.RLIMIT_NOFILE, &usual, nil); err != nil {
			s.t.Fatal(err)
		}
	}
}

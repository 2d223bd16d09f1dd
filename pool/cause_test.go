package pool

import (
	"syscall"
	"testing"
)

func TestCausesOfDeath(t *testing.T) {
	t.Parallel()
	statuses := map[int]Cause{3: BootFailed, 4: LoadFailed}
	loadFailed := LoadFailed
	status := func(n int) Exit { return Exit{Status: n} }
	signal := func(s syscall.Signal) Exit { return Exit{Status: -1, Signal: s} }
	cases := []struct {
		name  string
		life  life
		exit  Exit
		want  Cause
		fault bool
	}{
		{"status 1 in service", life{phase: Busy, booted: true}, status(1), Crashed, true},
		{"status 1 before ready", life{phase: Starting}, status(1), Crashed, true},
		{"status 0 unasked", life{phase: Idle, booted: true}, status(0), Left, true},
		{"status 0 as it said", life{phase: Idle, booted: true, act: Activity{Leaving: true}}, status(0), Asked, false},
		{"status 1 though it said it left", life{phase: Idle, booted: true, act: Activity{Leaving: true}}, status(1), Crashed, true},
		{"status lost", life{phase: Idle, booted: true}, Exit{Status: -1}, Crashed, true},
		{"segmentation fault", life{phase: Busy, booted: true}, signal(syscall.SIGSEGV), Signalled, true},
		{"SIGTERM from elsewhere", life{phase: Idle, booted: true}, signal(syscall.SIGTERM), Signalled, true},
		{"status 143 from elsewhere", life{phase: Idle, booted: true}, status(143), Crashed, true},
		{"named status before ready", life{phase: Starting}, status(4), LoadFailed, true},
		{"named status in service means nothing", life{phase: Busy, booted: true}, status(4), Crashed, true},
		{"its word before its status", life{phase: Starting, said: &loadFailed}, status(3), LoadFailed, true},
		{"its word and a signal", life{phase: Starting, said: &loadFailed}, signal(syscall.SIGKILL), LoadFailed, true},
		{"drained", life{phase: Draining, booted: true}, status(0), Asked, false},
		{"drained without a handler", life{phase: Draining}, signal(syscall.SIGTERM), Asked, false},
		{"drained as shells say it", life{phase: Draining, booted: true}, status(143), Asked, false},
		{"crashed while draining", life{phase: Draining, booted: true}, signal(syscall.SIGSEGV), Signalled, false},
		{"failed while draining", life{phase: Draining, booted: true}, status(1), Crashed, false},
		{"killed for its request", life{phase: Killed, booted: true, killedFor: Overran}, signal(syscall.SIGKILL), Overran, true},
		{"killed at boot", life{phase: Killed, killedFor: NeverReady}, signal(syscall.SIGKILL), NeverReady, true},
		{"killed for silence", life{phase: Killed, booted: true, killedFor: Silent}, signal(syscall.SIGKILL), Silent, true},
		{"killed for deafness", life{phase: Killed, booted: true, killedFor: Deaf}, signal(syscall.SIGKILL), Deaf, false},
		{"killed with all others", life{phase: Killed, booted: true, killedFor: Asked}, signal(syscall.SIGKILL), Asked, false},
		{"it left just before the kill", life{phase: Killed, booted: true, killedFor: Overran}, status(0), Overran, true},
	}
	for _, c := range cases {
		s := &slot{life: c.life}
		got := judge(s, c.exit, syscall.SIGTERM, statuses)
		death := Death{Cause: got, From: s.phase}
		if got != c.want || death.atFault() != c.fault {
			t.Errorf("%s: got %v, at fault %t, want %v, %t", c.name, got, death.atFault(), c.want, c.fault)
		}
	}
}

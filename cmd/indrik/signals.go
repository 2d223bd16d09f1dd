package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// surviveBrokenPipes keeps a process alive whose standard output or error is read
// by nobody any more: a log collector that died must not take the service with
// it. Go ends a program at such a write unless SIGPIPE is caught. It is caught
// and not ignored, because children would inherit the latter.
func surviveBrokenPipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody listens; the write's error is enough
}

// signals are those that mean something to the master. The zero value receives none.
type signals struct {
	channel chan os.Signal // nil before receive
}

// ofMaster are the signals that the master obeys.
func ofMaster() []os.Signal {
	return []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH,
	}
}

// receive starts to receive them. It is never undone: a SIGTERM that arrives after the
// master's last act must not turn exit status 0 into death by a signal. The channel
// holds a burst of them; the master reads it in its loop.
func (s *signals) receive() <-chan os.Signal {
	surviveBrokenPipes()
	if s.channel == nil {
		s.channel = make(chan os.Signal, 32)
		signal.Notify(s.channel, ofMaster()...)
	}
	return s.channel
}

// hold prepares for the exec of another image. From its return on
//
//	USR1, USR2, TTIN, TTOU, WINCH  wait in the kernel, blocked, until that image receives them
//	HUP                            is ignored: the reload that executes the image comes after it
//	INT, QUIT, TERM                wait too, and end the next image when it starts, if they come before
//	                               it has got to receive; nobody could obey them, but none is lost
//
// and the channel has those that came before. The last cannot be held longer: the runtime of
// the next image unblocks them in its first instants and installs a handler before any
// code of ours runs (runtime.blockableSig; docs/adr/0014). The exceptions are of microseconds: a
// thread that the first image makes between hold and the exec has nothing blocked (in
// those after it, threads are born with the mask that the exec left), and with cgo the
// runtime cannot block signals in all threads. What such a thread receives is lost.
//
// resume undoes it, on the goroutine that called hold.
func (s *signals) hold() (resume func()) {
	runtime.LockOSThread() // the thread that executes leaves its mask to the next image
	set := setOf(append(heldSignals(), endingSignals()...))
	signal.Ignore(syscall.SIGHUP)
	everywhere := false
	for range 2 { // what the first needs threads for, which are born with nothing blocked, is there for the second
		if everywhere = maskEverywhere(unix.SIG_BLOCK, &set); !everywhere {
			_ = unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil) // the arguments are right
		}
		flush()
	}
	for _, sig := range waiting(endingSignals()) { // since a moment ago: this image can obey them still
		select {
		case s.channel <- sig:
		default: // full, as the runtime would have found it
		}
	}
	return func() {
		signal.Notify(s.channel, syscall.SIGHUP)
		if !everywhere || !maskEverywhere(unix.SIG_UNBLOCK, &set) {
			_ = unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil) // the arguments are right
		}
		runtime.UnlockOSThread()
	}
}

// flush returns when the signals that the runtime has taken have arrived in the channel.
// Only Stop can tell, and for a channel of its own it stops nothing.
func flush() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	signal.Stop(c)
}

// takeOver is receive for an image that was executed by another, which has held the
// signals: to be called as early as can be.
//
// The runtime unblocks a signal before it installs its handler. It has none from the
// beginning for TTIN and TTOU, and one that waited would stop the process.
func (s *signals) takeOver() {
	stops := []syscall.Signal{syscall.SIGTTIN, syscall.SIGTTOU}
	waited := waiting(stops)
	for _, sig := range stops {
		signal.Ignore(sig)
	}
	s.receive()
	for _, sig := range waited {
		s.channel <- sig // there is room for more than there are
	}
}

// waiting takes those of some blocked signals that wait for this process.
func waiting(some []syscall.Signal) (found []syscall.Signal) {
	set, now := setOf(some), unix.Timespec{}
	for range some { // each can wait once
		number, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT,
			uintptr(unsafe.Pointer(&set)), 0, uintptr(unsafe.Pointer(&now)), kernelSet, 0, 0)
		if errno != 0 { // EAGAIN: none
			break
		}
		found = append(found, syscall.Signal(number))
	}
	return found
}

// heldSignals are those that another image of the process finds waiting.
func heldSignals() []syscall.Signal {
	return []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH}
}

// endingSignals are those that end an image that does not receive them.
func endingSignals() []syscall.Signal {
	return []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM}
}

// maskEverywhere changes the signal mask of every thread, and reports whether it could.
func maskEverywhere(how int, set *unix.Sigset_t) bool {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_RT_SIGPROCMASK,
		uintptr(how), uintptr(unsafe.Pointer(set)), 0, kernelSet, 0, 0)
	return errno == 0 // ENOTSUP: linked with cgo
}

// kernelSet is the size in bytes of the kernel's sigset_t, which has a bit for each of
// 64 signals.
const kernelSet = 8

// setOf has the bits of signals, all of which are in the first word.
func setOf(all []syscall.Signal) (set unix.Sigset_t) {
	for _, number := range all {
		set.Val[0] |= 1 << (number - 1)
	}
	return set
}

// gatewaySignals returns a context that ends at SIGTERM, which makes the
// gateway drain. What a terminal sends to the whole group (Ctrl-C, Ctrl-\, the
// hang-up) and what "killall -HUP indrik" sends to every process of the name is
// the master's business; by default it would end or stop the gateway.
func gatewaySignals(parent context.Context) (context.Context, context.CancelFunc) {
	surviveBrokenPipes()
	signal.Ignore(
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU)
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("received %v", s))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// terminalSignals returns a context that ends when a terminal's user or system has had
// enough, and a channel of the signals after which the terminal is another.
func terminalSignals(parent context.Context) (context.Context, <-chan os.Signal, context.CancelFunc) {
	changes := make(chan os.Signal, 4)
	signal.Notify(changes, syscall.SIGWINCH, syscall.SIGCONT)
	ctx, stop := signal.NotifyContext(parent, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	return ctx, changes, stop
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// surviveBrokenPipes keeps a process alive whose standard output or error is read
// by nobody any more: a log collector that died must not take the service with
// it. Go ends a program at such a write unless SIGPIPE is caught. It is caught
// and not ignored, because children would inherit the latter.
func surviveBrokenPipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody listens; the write's error is enough
}

// masterSignals starts to receive the signals that mean something to the
// master. It is never undone: a SIGTERM that arrives after the master's last
// act must not turn exit status 0 into death by a signal. The channel holds a
// burst of them; the master reads it in its loop.
func masterSignals() <-chan os.Signal {
	surviveBrokenPipes()
	signals := make(chan os.Signal, 32)
	signal.Notify(signals,
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH)
	return signals
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

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/indrik/indrik/gateway"
)

// letSignalsGo undoes what the gateway's role does to the test process.
func letSignalsGo(t *testing.T) {
	t.Cleanup(func() {
		signal.Reset(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
			syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU)
	})
}

// A person who wants to serve a module called gateway must be told how.
func TestGatewayByHand(t *testing.T) {
	for _, args := range []string{"gateway", "-w 2 gateway", "gateway -w 2", "gateway --reload", "gateway app"} {
		tr := newTrial(t, strings.Fields(args)...)
		status, _, stderr := tr.run()
		if status != exitUsage || len(tr.roles) > 0 || !strings.Contains(stderr, "INDRIK_GATEWAY=1") || !strings.Contains(stderr, "gateway:application") {
			t.Errorf("%q: got status %d, roles %v, stderr %q", args, status, tr.roles, stderr)
		}
	}
	for _, args := range []string{"gateway:application", "-- gateway", "completion", "help"} {
		tr := newTrial(t, strings.Fields(args)...)
		if status, _, stderr := tr.run(); status != exitOK || !slices.Equal(tr.roles, []string{"master"}) {
			t.Errorf("%q: got status %d, roles %v, stderr %q, want it served", args, status, tr.roles, stderr)
		}
	}
}

func TestGatewayIsToldEverything(t *testing.T) {
	letSignalsGo(t)
	tr := newTrial(t, "gateway", "--log-level", "warning")
	tr.env = append(tr.env, "INDRIK_GATEWAY=1")
	if status, _, stderr := tr.run(); status != exitOK || stderr != "" {
		t.Fatalf("got status %d, stderr %q", status, stderr)
	}
	p := tr.gate
	if !slices.Equal(tr.roles, []string{"gateway"}) || p.ChannelFD != 3 || p.Stdout != tr.stdout || p.Log.IsInfo() || !p.Log.IsWarn() {
		t.Errorf("got roles %v, process %+v", tr.roles, p)
	}
}

func TestGatewayRefusesWhatTheMasterNeverSays(t *testing.T) {
	for args, want := range map[string]string{
		"gateway app":              `the gateway takes no arguments, got ["app"]; the master tells it everything on its channel`,
		"gateway --log-levle info": "unknown option --log-levle; did you mean --log-level?",
		"gateway --log-level loud": `setting loglevel: --log-level is "loud": not known; use one of debug, info, warning, error, critical`,
	} {
		tr := newTrial(t, strings.Fields(args)...)
		tr.env = append(tr.env, "INDRIK_GATEWAY=1")
		if status, _, stderr := tr.run(); status != exitUsage || stderr != "indrik: "+want+"\n" {
			t.Errorf("%q: got status %d, stderr %q, want %q", args, status, stderr, want)
		}
	}
}

// Ctrl-C reaches the whole group: were the gateway to obey, requests would be
// lost that the master is about to drain. Only SIGTERM is for the gateway.
func TestGatewayObeysOnlySIGTERM(t *testing.T) {
	letSignalsGo(t)
	tr := newTrial(t, "gateway")
	tr.env = append(tr.env, "INDRIK_GATEWAY=1")
	tr.process.gateway = func(ctx context.Context, _ gateway.Process) error {
		for _, s := range []syscall.Signal{
			syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU,
		} {
			// An ignored signal is gone when kill returns; any other would end
			// or stop this test.
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx).Error(); !strings.Contains(cause, "terminated") {
				return errors.New("cause is " + cause)
			}
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("SIGTERM did not end the context")
		}
	}
	if status, _, stderr := tr.run(); status != exitOK {
		t.Errorf("got status %d, stderr %q", status, stderr)
	}
}

package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/internal/fdcheck"
	"github.com/indrik/indrik/internal/testproc"
	"github.com/indrik/indrik/settings"
)

// TestMain also plays the gateway: the master starts its own executable for it.
func TestMain(m *testing.M) {
	if os.Getenv("INDRIK_GATEWAY") == "1" {
		os.Exit(playGateway())
	}
	testproc.Main(m, testproc.Parts{"master": playMaster})
}

func playGateway() int {
	signal.Ignore(syscall.SIGINT)
	err := gateway.Run(context.Background(), gateway.Process{ChannelFD: 3, Stdout: os.Stdout, Log: jsonLog(os.Stderr)})
	if err != nil {
		return 1
	}
	return 0
}

// order is what a test tells the part.
type order struct {
	App      string
	Settings map[string][]string
	Env      []string
}

// playMaster runs a master as cmd/indrik does, and says what it left behind.
func playMaster() int {
	var o order
	if err := json.NewDecoder(testproc.File(0)).Decode(&o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 70
	}
	stderr := testproc.File(1)
	layer := settings.Layer{Source: settings.CommandLine}
	for name, texts := range o.Settings {
		layer.Items = append(layer.Items, settings.Item{Name: name, Texts: texts})
	}
	values, err := settings.Resolve(layer)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 70
	}
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "TESTPROC_") })
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTTIN, unix.SIGTTOU)
	before, _ := fdcheck.Count()
	err = Run(context.Background(), Config{
		App: o.App, Settings: values, Env: append(o.Env, env...), PID: os.Getpid(),
		Executable: "indrik", Stdout: os.Stdout, Stderr: stderr, Version: "0.0.0-test",
		Log: jsonLog(stderr), Signals: signals,
	})
	if left := children(); left != "" {
		fmt.Fprintln(stderr, "LEFT BEHIND: children", left)
	}
	if !settles(func() bool { after, _ := fdcheck.Count(); return after <= before+1 }) { // the runtime's epoll set
		after, _ := fdcheck.List()
		fmt.Fprintln(stderr, "LEFT BEHIND: descriptors", before, after)
	}
	if err != nil {
		fmt.Fprintln(stderr, "indrik:", err)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrLoad):
		return 4
	case errors.Is(err, ErrBoot):
		return 3
	}
	return 1
}

// settles waits a little for goroutines that close what they own.
func settles(condition func() bool) bool {
	for range 100 {
		if condition() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// children lists the children of this process, as the kernel knows them.
func children() string {
	var all []string
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		all = append(all, strings.Fields(string(text))...)
	}
	return strings.Join(all, " ")
}

func jsonLog(w io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "indrik", Level: hclog.Debug, Output: w, JSONFormat: true})
}

package hosting

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// errBroken is what a manager says that was told to fail.
var errBroken = errors.New("broken")

// ledger is a manager that keeps account of what it was asked, and fails at one call.
// That the real one does the same is tested in test/lab.
type ledger struct {
	calls  []string
	failAt string // the call that fails, once
	states map[string]State
}

func newLedger() *ledger {
	known := State{Loaded: true, DropIns: []string{"/run/systemd/generator/x.d/50-unit.conf"}}
	return &ledger{states: map[string]State{"indrik@shop.socket": known, "indrik@shop.service": known}}
}

func (l *ledger) did(change func(*State), call string, units ...string) error {
	call = strings.Join(append([]string{call}, units...), " ")
	l.calls = append(l.calls, call)
	if call == l.failAt {
		l.failAt = ""
		return errBroken
	}
	for _, u := range units {
		s := l.states[u]
		change(&s)
		l.states[u] = s
	}
	return nil
}

func (l *ledger) Reload(context.Context) error { return l.did(nil, "reload") }
func (l *ledger) Enable(_ context.Context, u string) (bool, error) {
	was := l.states[u].Enabled
	return !was, l.did(func(s *State) { s.Enabled = true }, "enable", u)
}
func (l *ledger) Disable(_ context.Context, units ...string) error {
	return l.did(func(s *State) { s.Enabled = false }, "disable", units...)
}
func (l *ledger) Start(_ context.Context, u string) error {
	return l.did(func(s *State) { s.Running = true }, "start", u)
}
func (l *ledger) Stop(_ context.Context, u string) error {
	return l.did(func(s *State) { s.Running = false }, "stop", u)
}
func (l *ledger) Forget(_ context.Context, u string) error {
	return l.did(func(*State) {}, "forget", u)
}
func (l *ledger) Look(_ context.Context, u string) (State, error) { return l.states[u], nil }

func quiet(string) {}

func newSite(t *testing.T) Site {
	t.Helper()
	return Site{Name: "shop", File: filepath.Join(t.TempDir(), "indrik/shop.toml"), Text: []byte("wsgi_app = 'a:b'\n"), Boot: true}
}

// left is what lies in the directory of a site's file.
func left(t *testing.T, s Site) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(s.File))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSetupAndRemoveAreOpposites(t *testing.T) {
	s, l := newSite(t), newLedger()
	var told []string
	ran, err := Setup(t.Context(), l, s, func(text string) { told = append(told, text) })
	if err != nil || ran || !slices.Equal(told, s.Steps()) {
		t.Fatalf("got %v, %v, told %q, want what a dry run tells: %q", ran, err, told, s.Steps())
	}
	text, err := os.ReadFile(s.File)
	info, _ := os.Stat(s.File)
	if err != nil || string(text) != Mark+string(s.Text) || info.Mode().Perm() != 0o644 {
		t.Errorf("the file is %q, %v, %v", text, info.Mode(), err)
	}
	want := []string{"reload", "enable indrik@shop.service", "start indrik@shop.socket", "start indrik@shop.service"}
	if !slices.Equal(l.calls, want) {
		t.Errorf("got %q, want %q", l.calls, want)
	}
	l.calls, told = nil, nil
	s.Caches = []string{t.TempDir(), filepath.Join(t.TempDir(), "was never made")}
	steps := s.RemovalSteps()
	if !slices.Contains(steps, "delete "+s.Caches[0]) || slices.Contains(steps, "delete "+s.Caches[1]) {
		t.Errorf("of the caches %q it would do %q", s.Caches, steps)
	}
	if err := Remove(t.Context(), l, s, func(text string) { told = append(told, text) }); err != nil || !slices.Equal(told, steps) {
		t.Fatalf("got %v, told %q, want %q", err, told, steps)
	}
	if _, err := os.Stat(s.Caches[0]); !os.IsNotExist(err) {
		t.Errorf("the cache is still there: %v", err)
	}
	want = []string{"disable indrik@shop.socket indrik@shop.service", "reload", "stop indrik@shop.socket", "stop indrik@shop.service",
		"forget indrik@shop.socket", "forget indrik@shop.service"}
	if !slices.Equal(l.calls, want) || left(t, s) != nil {
		t.Errorf("got %q, want %q; left %q", l.calls, want, left(t, s))
	}
	if err := Remove(t.Context(), l, s, quiet); !errors.Is(err, ErrNone) {
		t.Errorf("the second time: %v, want ErrNone", err)
	}
}

// Whatever step fails, nothing stays that was not there before.
func TestFailedSetupLeavesNothing(t *testing.T) {
	for _, call := range []string{"reload", "enable indrik@shop.service", "start indrik@shop.socket", "start indrik@shop.service"} {
		for _, before := range []string{"", "theirs = 1\n"} {
			t.Run(fmt.Sprintf("%s %q", call, before), func(t *testing.T) {
				s, l := newSite(t), newLedger()
				l.failAt = call
				if before != "" {
					s.Replace = true
					if err := os.MkdirAll(filepath.Dir(s.File), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(s.File, []byte(before), 0o640); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := Setup(t.Context(), l, s, quiet); !errors.Is(err, errBroken) {
					t.Fatalf("got %v", err)
				}
				text, _ := os.ReadFile(s.File)
				if string(text) != before {
					t.Errorf("the file is %q, was %q", text, before)
				}
				if info, err := os.Stat(s.File); before != "" && (err != nil || info.Mode().Perm() != 0o640) {
					t.Errorf("the mode is %v, %v", info, err)
				}
				for unit, state := range l.states {
					if state.Running || state.Enabled {
						t.Errorf("%s is %+v after %q", unit, state, l.calls)
					}
				}
				if l.calls[len(l.calls)-1] != "reload" {
					t.Errorf("systemd was not told that the file is gone: %q", l.calls)
				}
			})
		}
	}
}

// What ran and was enabled before somebody set it up anew goes on when that fails.
func TestFailedSetupStopsNothingThatRan(t *testing.T) {
	s, l := newSite(t), newLedger()
	l.failAt = "start " + s.Service()
	for unit, state := range l.states {
		state.Running, state.Enabled = true, true
		l.states[unit] = state
	}
	if ran, err := Setup(t.Context(), l, s, quiet); !errors.Is(err, errBroken) || !ran {
		t.Fatalf("got %v, %v", ran, err)
	}
	for unit, state := range l.states {
		if !state.Running || !state.Enabled {
			t.Errorf("%s is %+v after %q", unit, state, l.calls)
		}
	}
}

// Without the units, or without the generator, an application would be served
// otherwise than it was asked for, or not at all.
func TestSetupWantsUnitsAndGenerator(t *testing.T) {
	for _, state := range []State{{}, {Loaded: true}} {
		s, l := newSite(t), newLedger()
		l.states[s.Service()] = state
		if _, err := Setup(t.Context(), l, s, quiet); err == nil || !strings.Contains(err.Error(), "install Indrik's package") {
			t.Errorf("%+v: got %v", state, err)
		}
		if left(t, s) != nil {
			t.Errorf("left %q", left(t, s))
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	s, l := newSite(t), newLedger()
	if err := os.MkdirAll(filepath.Dir(s.File), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.File, []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Setup(t.Context(), l, s, quiet); !errors.Is(err, ErrExists) || len(l.calls) > 0 {
		t.Errorf("got %v, %q", err, l.calls)
	}
	if err := place(s.File, []byte("ours"), 0o644, false); !errors.Is(err, ErrExists) {
		t.Errorf("a file that appeared meanwhile: got %v", err)
	}
	if err := Remove(t.Context(), l, s, quiet); !errors.Is(err, ErrNotOurs) || len(l.calls) > 0 {
		t.Errorf("remove: got %v, %q", err, l.calls)
	}
	if text, _ := os.ReadFile(s.File); string(text) != "theirs" || len(left(t, s)) != 1 {
		t.Errorf("the file is %q, and there are %q", text, left(t, s))
	}
	s.Keep = true
	if err := Remove(t.Context(), l, s, quiet); err != nil || len(left(t, s)) != 1 {
		t.Errorf("a file that is kept: got %v, left %q", err, left(t, s))
	}
}

// A removal that failed half way is repeated, without the file by now.
func TestRemovalCanBeRepeated(t *testing.T) {
	s, l := newSite(t), newLedger()
	if _, err := Setup(t.Context(), l, s, quiet); err != nil {
		t.Fatal(err)
	}
	l.failAt = "stop " + s.Service()
	if err := Remove(t.Context(), l, s, quiet); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	if err := Remove(t.Context(), l, s, quiet); err != nil || l.states[s.Service()].Running {
		t.Errorf("got %v, the service is %+v", err, l.states[s.Service()])
	}
}

// Ctrl-C in the middle takes back what was done.
func TestInterruptedSetupLeavesNothing(t *testing.T) {
	s, l := newSite(t), newLedger()
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := Setup(ctx, l, s, func(text string) {
		if strings.Contains(text, "Enable") {
			cancel(errBroken)
		}
	})
	if !errors.Is(err, errBroken) || left(t, s) != nil || l.states[s.Service()].Enabled {
		t.Errorf("got %v, left %q, %+v", err, left(t, s), l.states)
	}
}

package lab

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// ownerEnv makes this test binary a test process that starts a lab and waits to
// be killed.
const ownerEnv = "INDRIK_LAB_TEST_OWNER"

// shared is the one lab of this test run, booted by the first test that asks.
var shared struct {
	once sync.Once
	lab  *Lab
	err  error
}

func TestMain(m *testing.M) {
	if os.Getenv(ownerEnv) != "" {
		os.Exit(playOwner())
	}
	status := Main(m)
	if shared.lab != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the lab:", err)
			status = 1
		}
	}
	os.Exit(status)
}

// booted returns the lab that all tests share. Where there can be none the test
// is skipped with the reason, except in continuous integration, where that fails.
func booted(t *testing.T) *Lab {
	t.Helper()
	need(t)
	shared.once.Do(func() {
		begin := time.Now()
		shared.lab, shared.err = Start(context.Background())
		t.Logf("systemd booted in %v", time.Since(begin).Round(time.Millisecond))
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.lab
}

func need(t *testing.T) {
	t.Helper()
	err := Missing()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("THE LAB CANNOT RUN, and CI=true demands it: %v", err)
	default:
		t.Skipf("THE LAB IS SKIPPED: %v", err)
	}
}

// limited is a context for one step that must end within a time.
func limited(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

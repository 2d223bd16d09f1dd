package testproc

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Parts names the programs a test binary can play. The result of a part is its
// exit status.
type Parts map[string]func() int

// Both are set by this package for itself; a user has no use for them.
const (
	partEnv   = "TESTPROC_PART"   // the part this process is to play
	playedEnv = "TESTPROC_PLAYED" // directory with a file for each part that was played
)

// Descriptors of a part.
const (
	lifeLine  = 3
	firstFile = 4
)

// lost is the exit status of a process that was told to play a part that
// does not exist, after EX_SOFTWARE of sysexits.h.
const lost = 70

// Main is the whole of a TestMain. In a process started by [Start] or [Fork]
// it plays the part, otherwise it runs the tests; either way it exits.
func Main(m *testing.M, parts Parts) {
	if part, ok := os.LookupEnv(partEnv); ok {
		os.Exit(play(part, parts))
	}
	os.Exit(run(m, parts))
}

func play(part string, parts Parts) int {
	act, ok := parts[part]
	if !ok {
		fmt.Fprintf(os.Stderr, "no part %q\n", part)
		return lost
	}
	go followLifeLine()
	return act()
}

// followLifeLine kills the whole group when the test binary is gone: nobody
// else would.
func followLifeLine() {
	line := os.NewFile(lifeLine, "life line")
	_, _ = line.Read(make([]byte, 1)) // nothing is ever written: it returns at the end
	_ = syscall.Kill(0, syscall.SIGKILL)
}

// run runs the tests. Which parts were played is kept as files, because parts
// may be played by parts, in other processes.
func run(m *testing.M, parts Parts) int {
	dir, err := os.MkdirTemp("", "testproc-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // a leftover in the temporary directory harms nobody
	if err := os.Setenv(playedEnv, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := m.Run()
	if status != 0 || !fullRun() {
		return status
	}
	if idle := unplayed(dir, parts); len(idle) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: no test played: %s\n", strings.Join(idle, ", "))
		return 1
	}
	return 0
}

// fullRun reports whether all tests were run, so that each part had its
// chance.
func fullRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	short := flag.Lookup("test.short")
	return short == nil || short.Value.String() == "false"
}

// unplayed lists the parts without a file in dir.
func unplayed(dir string, parts Parts) []string {
	var idle []string
	for part := range parts {
		if _, err := os.Stat(filepath.Join(dir, part)); err != nil {
			idle = append(idle, part)
		}
	}
	slices.Sort(idle)
	return idle
}

// played notes that a part was started.
func played(part string) error {
	dir := os.Getenv(playedEnv)
	if dir == "" {
		return fmt.Errorf("play part %q: TestMain does not call testproc.Main", part)
	}
	file, err := os.OpenFile(filepath.Join(dir, part), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("play part %q: %w", part, err)
	}
	return file.Close()
}

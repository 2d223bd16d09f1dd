package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// markEnv is inherited by everything that a round starts.
const markEnv = "INDRIK_CHAOS_MARK"

// marked lists the living processes of a round.
func marked(mark string) (pids []int) {
	entry := []byte(markEnv + "=" + mark + "\x00")
	names, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		env, err := os.ReadFile(name + "/environ")
		if err == nil && bytes.Contains(env, entry) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// role tells what a process is, by what ps would show: "gateway", "mold", "worker" or "".
func role(pid int) string {
	if cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		if args := strings.Split(string(cmdline), "\x00"); len(args) > 1 && args[1] == "gateway" {
			return "gateway"
		}
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	switch name := strings.TrimSpace(string(comm)); {
	case name == "indrik-mold":
		return "mold"
	case strings.HasPrefix(name, "indrik-w"):
		return "worker"
	}
	return ""
}

// children lists the living children of a process that play a role.
func children(of int, wanted string) (pids []int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", of, of))
	if err != nil {
		return nil
	}
	// Only those of the main thread are in that file, and Go forks from any.
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	for _, task := range tasks {
		if more, err := os.ReadFile(task); err == nil {
			text = append(append(text, ' '), more...)
		}
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err == nil && !dead(pid) && role(pid) == wanted && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// dead reports that a process does not run any more; it may not be reaped yet.
func dead(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return len(fields) == 0 || fields[0] == "Z" || fields[0] == "X"
}

// size is what a process has of descriptors and of resident memory in bytes.
type size struct {
	descriptors int
	memory      int64
}

func sizeOf(pid int) size {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)) // gone: none
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	s := size{descriptors: len(entries)}
	if fields := strings.Fields(string(text)); len(fields) > 1 {
		pages, _ := strconv.ParseInt(fields[1], 10, 64)
		s.memory = pages * int64(os.Getpagesize())
	}
	return s
}

// victim is a process that signals go to, and never another one with its number.
type victim struct{ pid, fd int }

func aim(pid int) (victim, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return victim{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return victim{pid, fd}, nil
}

func (v victim) send(sig unix.Signal) error { return unix.PidfdSendSignal(v.fd, sig, nil, 0) }

func (v victim) release() { _ = unix.Close(v.fd) } // nothing was written

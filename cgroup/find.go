package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNone reports that this process sees no control group of version 2 that it is
// in: a system with version 1, or a container that hides them.
var ErrNone = errors.New("no control group of version 2 is to be seen")

const (
	membershipFile = "/proc/self/cgroup"
	mountsFile     = "/proc/self/mountinfo"
)

// place is where a hierarchy is mounted, and the group of this process in it.
type place struct {
	top string // the mount point
	dir string // the group's directory: top or below it
}

// Own returns the control group of this process. The error is [ErrNone], or that of
// reading /proc.
func Own() (Group, error) {
	p, err := ownPlace("")
	if err != nil {
		return Group{}, err
	}
	return Group{dir: p.dir}, nil
}

// ownPlace finds the group of this process in the hierarchy of a controller of
// version 1, or in that of version 2 for "".
func ownPlace(controller string) (place, error) {
	membership, err := os.ReadFile(membershipFile)
	if err != nil {
		return place{}, fmt.Errorf("find the own control group: %w", err)
	}
	mounts, err := os.ReadFile(mountsFile)
	if err != nil {
		return place{}, fmt.Errorf("find the own control group: %w", err)
	}
	p, ok := locate(string(membership), string(mounts), controller)
	if !ok {
		return place{}, ErrNone
	}
	return p, nil
}

// locate puts the two files together: one has the path of the group from the root
// of its hierarchy, the other the part of the hierarchy that is mounted and where.
// A group outside of that part, as "/.." in a namespace of its own, is not seen.
func locate(membership, mounts, controller string) (place, bool) {
	path, ok := memberPath(membership, controller)
	if !ok {
		return place{}, false
	}
	for line := range strings.Lines(mounts) {
		root, at, ok := readMount(line, controller)
		if !ok {
			continue
		}
		rest, below := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
		if !below || rest != "" && rest[0] != '/' || slices.Contains(strings.Split(rest, "/"), "..") {
			continue
		}
		return place{top: at, dir: filepath.Join(at, rest)}, true
	}
	return place{}, false
}

// memberPath reads a line of /proc/self/cgroup: ID:CONTROLLERS:PATH.
func memberPath(membership, controller string) (string, bool) {
	for line := range strings.Lines(membership) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) == 3 && slices.Contains(strings.Split(part[1], ","), controller) {
			return part[2], true
		}
	}
	return "", false
}

// readMount reads a line of mountinfo, see proc_pid_mountinfo(5):
//
//	36 35 98:0 ROOT PLACE rw,noatime … - TYPE SOURCE OPTIONS
func readMount(line, controller string) (root, at string, ok bool) {
	before, after, found := strings.Cut(line, " - ")
	fields, kind := strings.Fields(before), strings.Fields(after)
	if !found || len(fields) < 5 || len(kind) < 3 {
		return "", "", false
	}
	switch {
	case controller == "" && kind[0] == "cgroup2":
	case controller != "" && kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), controller):
	default:
		return "", "", false
	}
	return unescape(fields[3]), unescape(fields[4]), true
}

// unescape undoes how mountinfo writes white space and backslashes.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// groupPrefix begins the name of every control group a lab makes.
const groupPrefix = "indrik-lab."

// makeGroups makes one control group for a new lab in each hierarchy that
// nspawn writes to (the unified one and, on a hybrid host, name=systemd), and
// removes empty ones that a killed test run left there. The name is the same in
// both, because nspawn puts its groups below its unified path in either.
func makeGroups() ([]string, error) {
	parents, err := ownGroups()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s%d.%d", groupPrefix, os.Getpid(), time.Now().UnixNano())
	var made []string
	for _, p := range parents {
		sweep(p)
		dir := filepath.Join(p, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return made, err
		}
		made = append(made, dir)
	}
	return made, nil
}

// sweep removes the control groups of labs whose test process is gone. Those of
// others stay: a lab that begins to boot has not entered its groups yet, and
// empty ones could be removed under it.
func sweep(parent string) {
	old, err := filepath.Glob(filepath.Join(parent, groupPrefix+"*"))
	if err != nil {
		return // only a malformed pattern fails
	}
	for _, dir := range old {
		var owner int
		_, err := fmt.Sscanf(filepath.Base(dir), groupPrefix+"%d.", &owner)
		if err == nil && errors.Is(syscall.Kill(owner, 0), syscall.ESRCH) {
			_ = removeGroup(dir) // the next run tries again
		}
	}
}

// removeGroup removes a control group and all below it. Its attribute files
// cannot be removed and need not be: rmdir(2) takes them along.
func removeGroup(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // vanished between listing and look: somebody else removed it
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := syscall.Rmdir(dirs[i]); err != nil && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("remove control group %s: %w", dirs[i], err)
		}
	}
	return nil
}

// ownGroups returns the directories of this process's control groups, cgroup
// v2 first, as found by cgroups(7): /proc/self/cgroup has the path, mountinfo
// the place.
func ownGroups() ([]string, error) {
	mounts, err := groupMounts()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 || (part[1] != "" && part[1] != "name=systemd") {
			continue
		}
		if at, ok := mounts[part[1]]; ok {
			dirs = append(dirs, filepath.Join(at, part[2]))
		}
	}
	return dirs, nil
}

// groupMounts maps the hierarchy's name in /proc/self/cgroup ("" is cgroup v2)
// to the place it is mounted at.
func groupMounts() (map[string]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	at := make(map[string]string)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup2":
			at[""] = place[4]
		case kind[0] == "cgroup" && strings.Contains(kind[2], "name=systemd"):
			at["name=systemd"] = place[4]
		}
	}
	return at, lines.Err()
}

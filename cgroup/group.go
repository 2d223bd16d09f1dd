package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Group is a control group of version 2: the path of its directory. The zero value
// is no group, and its methods fail.
type Group struct{ dir string }

// At names the group of a directory, whether it exists or not.
func At(dir string) Group { return Group{dir: dir} }

// Dir returns the directory, "" for the zero value.
func (g Group) Dir() string { return g.dir }

// Child names the group called name in g, whether it exists or not.
func (g Group) Child(name string) Group { return Group{dir: filepath.Join(g.dir, name)} }

func (g Group) path(file string) string { return filepath.Join(g.dir, file) }

// Make makes a group in g, or returns the one that is there.
func (g Group) Make(name string) (Group, error) {
	child := g.Child(name)
	if err := os.Mkdir(child.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return Group{}, fmt.Errorf("make control group: %w", err)
	}
	return child, nil
}

// Remove removes the group. It fails with EBUSY while a process is in it that has
// not ended, or a group; it is no error if the group is not there.
func (g Group) Remove() error {
	if err := unix.Rmdir(g.dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove control group %s: %w", g.dir, err)
	}
	return nil
}

// Add moves a process, with all its threads, into the group; 0 is the calling
// process. Children that it has already stay where they are. It fails with ESRCH if
// the process has ended, and with EBUSY if the group hands controllers on to groups
// of its own.
func (g Group) Add(pid int) error { return g.write("cgroup.procs", strconv.Itoa(pid)) }

// Processes returns the pids in the group, without those of groups in it, in no
// order. A process of another pid namespace is 0.
func (g Group) Processes() ([]int, error) {
	text, err := os.ReadFile(g.path("cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("read control group: %w", err)
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", g.path("cgroup.procs"), err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Populated reports whether a process that has not ended is in the group or in a
// group of it.
func (g Group) Populated() (bool, error) {
	n, err := g.count("cgroup.events", "populated")
	return n != 0, err
}

// Kill sends SIGKILL to every process in the group and in groups of it, also to
// those that are being forked. They are gone when the group is not [Group.Populated]
// any more. Before Linux 5.14, which has no cgroup.kill, the group is frozen for it.
func (g Group) Kill() error {
	err := g.write("cgroup.kill", "1")
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := g.Freeze(true); err != nil {
		return err
	}
	pids, err := g.Processes()
	for _, pid := range pids {
		if pid > 0 {
			_ = unix.Kill(pid, unix.SIGKILL) // ESRCH: it has ended
		}
	}
	return errors.Join(err, g.Freeze(false))
}

// Freeze stops every process in the group and in groups of it, or lets them go on.
// It returns at once; cgroup.events says when they have stopped. A frozen process
// can be killed.
func (g Group) Freeze(frozen bool) error {
	if frozen {
		return g.write("cgroup.freeze", "1")
	}
	return g.write("cgroup.freeze", "0")
}

// Enable hands controllers on to the groups in g: those of names that g itself has.
// It returns those that the groups have then. g must not hold processes itself.
func (g Group) Enable(names ...string) ([]string, error) {
	has, err := g.words("cgroup.controllers")
	if err != nil {
		return nil, err
	}
	var failed error
	for _, name := range names {
		if slices.Contains(has, name) {
			failed = errors.Join(failed, g.write("cgroup.subtree_control", "+"+name))
		}
	}
	on, err := g.words("cgroup.subtree_control")
	return on, errors.Join(failed, err)
}

// SetMemoryHigh sets from how many bytes on the kernel slows the group down and
// takes memory back from it. It fails with ENOENT if the group has no memory
// controller.
func (g Group) SetMemoryHigh(bytes int64) error {
	return g.write("memory.high", strconv.FormatInt(bytes, 10))
}

// write puts a text into a file that is there already: the kernel makes them.
func (g Group) write(file, text string) error {
	f, err := os.OpenFile(g.path(file), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write to control group: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %q to control group: %w", text, err)
	}
	return nil
}

func (g Group) words(file string) ([]string, error) {
	text, err := os.ReadFile(g.path(file))
	if err != nil {
		return nil, fmt.Errorf("read control group: %w", err)
	}
	return strings.Fields(string(text)), nil
}

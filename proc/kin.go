package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxGenealogy bounds how far a process may be from the worker it belongs to.
const maxGenealogy = 64

// Kinship is what /proc/PID/stat says about the place of a process.
type Kinship struct {
	Parent, Group int
	Zombie        bool // it has ended, and its parent has not reaped it
}

// LookUp reads the kinship of a process; false if it is gone.
func LookUp(pid int) (Kinship, bool) {
	text, err := Stat(pid)
	if err != nil {
		return Kinship{}, false
	}
	fields := statFields(text)
	if len(fields) < 3 {
		return Kinship{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return Kinship{}, false
	}
	group, err := strconv.Atoi(fields[2])
	return Kinship{Parent: parent, Group: group, Zombie: fields[0] == "Z"}, err == nil
}

// Descends reports whether process pid is alive and root, or a process below it.
func Descends(pid, root int) bool {
	for range maxGenealogy {
		if pid == root {
			return true
		}
		k, there := LookUp(pid)
		if !there || k.Parent < 2 {
			return false
		}
		pid = k.Parent
	}
	return false
}

// Children lists the children of a process. Kernels without CONFIG_PROC_CHILDREN
// say nothing, and then there is none.
func Children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a good one
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// Family is a process and its descendants, at most limit of them.
func Family(pid, limit int) []int {
	all := []int{pid}
	for i := 0; i < len(all) && len(all) < limit; i++ {
		all = append(all, Children(all[i])...)
	}
	return all[:min(len(all), limit)]
}

// HasVariable reports whether the environment with which a process was started has
// this entry. It may be false because nobody may know.
func HasVariable(pid int, entry string) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	for each := range bytes.SplitSeq(text, []byte{0}) {
		if string(each) == entry {
			return true
		}
	}
	return false
}

// statFields are the fields of /proc/PID/stat from the third on. The second is a name in
// parentheses, and may hold anything.
func statFields(text []byte) []string {
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

package programs

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

// kinship is what /proc/PID/stat says about the place of a process.
type kinship struct {
	parent, group int
	zombie        bool
}

// lookUp reads the kinship of a process; false if it is gone.
func lookUp(pid int) (kinship, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return kinship{}, false
	}
	// The second field is a name in parentheses, and may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 3 {
		return kinship{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return kinship{}, false
	}
	group, err := strconv.Atoi(fields[2])
	return kinship{parent: parent, group: group, zombie: fields[0] == "Z"}, err == nil
}

// descends reports whether process pid is alive and root, or a process below it.
func descends(pid, root int) bool {
	for range maxGenealogy {
		if pid == root {
			return true
		}
		k, there := lookUp(pid)
		if !there || k.parent < 2 {
			return false
		}
		pid = k.parent
	}
	return false
}

// children lists the children of a process. Kernels without CONFIG_PROC_CHILDREN
// say nothing, and then there is none.
func children(pid int) (pids []int) {
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

// family is a process and its descendants, at most limit of them.
func family(pid, limit int) []int {
	all := []int{pid}
	for i := 0; i < len(all) && len(all) < limit; i++ {
		all = append(all, children(all[i])...)
	}
	return all[:min(len(all), limit)]
}

// hasVariable reports whether the environment with which a process was started has
// this entry. It may be false because nobody may know.
func hasVariable(pid int, entry string) bool {
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

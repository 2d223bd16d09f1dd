package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrNotDelegated reports that the control group of this process is systemd's to
// manage, or cannot be written to.
var ErrNotDelegated = errors.New("the control group is not delegated to this service (Delegate= of the unit)")

// Delegated returns the control group that was delegated to this service, and may
// be divided. That is the one this process is in; or, if this process is in the
// part of it with the name leaf, the one above: it moved there itself before it
// executed itself anew, or systemd started it there (DelegateSubgroup=).
//
// With trusted, somebody has said that the group is delegated, and the mark of
// systemd is not looked for; it must be possible to write to it in any case.
//
// The error is [ErrNone], [ErrNotDelegated], or one of these wrapped with what the
// kernel said.
func Delegated(leaf string, trusted bool) (Group, error) {
	p, err := ownPlace("")
	if err != nil {
		return Group{}, err
	}
	own := Group{dir: p.dir}
	if p.dir != p.top && filepath.Base(p.dir) == leaf {
		if above := (Group{dir: filepath.Dir(p.dir)}); above.delegated(trusted) == nil {
			return above, nil
		}
	}
	if err := own.delegated(trusted); err != nil {
		return Group{}, err
	}
	return own, nil
}

// delegated says why a group may not be divided; nil if it may.
//
// systemd marks what it delegates with an extended attribute: that for everybody
// since version 251, before that only one that root can read. An older one is known
// by its owner: the user of the service, where the group above belongs to another.
// A user's own manager leaves no mark that a service can read before version 254.
// Being able to write is no sign: root always is, and a user's own manager leaves
// all its groups to the user.
func (g Group) delegated(trusted bool) error {
	if !trusted && !g.marked("user.delegate") && !g.marked("trusted.delegate") && !g.bestowed() {
		return ErrNotDelegated
	}
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if err := unix.Access(g.path(name), unix.W_OK); err != nil {
			return fmt.Errorf("%w: write to %s: %w (ProtectControlGroups=?)", ErrNotDelegated, g.path(name), err)
		}
	}
	return nil
}

func (g Group) marked(attribute string) bool {
	var value [4]byte
	n, err := unix.Getxattr(g.dir, attribute, value[:])
	return err == nil && string(value[:n]) == "1"
}

func (g Group) bestowed() bool {
	var own, above unix.Stat_t
	user := os.Geteuid()
	if user == 0 || unix.Stat(g.dir, &own) != nil || unix.Stat(filepath.Dir(g.dir), &above) != nil {
		return false
	}
	return int(own.Uid) == user && int(above.Uid) != user
}

package programs

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/indrik/indrik/settings"
)

// identity is who the workers are.
type identity struct {
	credential syscall.Credential
}

// newIdentity looks user and group up; nil if neither is to change.
func newIdentity(s *settings.Values) (*identity, error) {
	if s.User() == "" && s.Group() == "" {
		return nil, nil
	}
	id := &identity{syscall.Credential{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid()), NoSetGroups: true}}
	if s.User() != "" {
		found, err := findUser(s.User())
		if err != nil {
			return nil, fmt.Errorf("%w: user %q: %w", ErrStart, s.User(), err)
		}
		if id.credential.Uid, err = number(found.Uid); err != nil {
			return nil, err
		}
		if s.Initgroups() {
			if err := id.takeGroups(found); err != nil {
				return nil, fmt.Errorf("%w: groups of user %q: %w", ErrStart, s.User(), err)
			}
		}
	}
	if s.Group() != "" {
		text := s.Group()
		if found, err := user.LookupGroup(text); err == nil {
			text = found.Gid
		}
		var err error
		if id.credential.Gid, err = number(text); err != nil {
			return nil, fmt.Errorf("%w: group %q: no such group", ErrStart, s.Group())
		}
	}
	same := int(id.credential.Uid) == os.Geteuid() && int(id.credential.Gid) == os.Getegid()
	switch {
	case same && id.credential.NoSetGroups:
		return nil, nil
	case os.Geteuid() != 0:
		return nil, fmt.Errorf("%w: only root can run workers as another user or group; leave out --user and --group, or set User= in the unit", ErrStart)
	}
	return id, nil
}

// findUser takes a name or a number, which need not be known.
func findUser(text string) (*user.User, error) {
	found, err := user.Lookup(text)
	if err == nil {
		return found, nil
	}
	if _, bad := number(text); bad != nil {
		return nil, err
	}
	if found, err = user.LookupId(text); err == nil {
		return found, nil
	}
	return &user.User{Uid: text, Gid: text}, nil
}

func (id *identity) takeGroups(of *user.User) error {
	texts, err := of.GroupIds()
	if err != nil {
		return err
	}
	id.credential.NoSetGroups = false
	for _, text := range texts {
		gid, err := number(text)
		if err != nil {
			return err
		}
		id.credential.Groups = append(id.credential.Groups, gid)
	}
	return nil
}

func number(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err
}

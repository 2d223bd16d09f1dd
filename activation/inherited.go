package activation

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	// firstFD is SD_LISTEN_FDS_START: passed descriptors begin after stderr.
	firstFD = 3

	// unnamed is what sd_listen_fds_with_names(3) calls a descriptor without a
	// name.
	unnamed = "unknown"
)

// Descriptor is one descriptor that systemd passed, not yet looked at: a
// listening socket, or anything that a service may put into its descriptor
// store (see [Notifier.Store]).
type Descriptor struct {
	FD   int
	Name string // "unknown" if systemd gave no name
}

// Descriptors lists what was passed to process pid, which is the calling
// process, in the order of descriptor numbers. It reads LISTEN_FDS, LISTEN_PID,
// LISTEN_FDNAMES and, when set, LISTEN_PIDFDID, as sd_listen_fds_with_names(3)
// describes, and touches no descriptor. If nothing was passed, or it was passed
// to another process, it returns nil, nil. Numbers that are none, and a list of
// names that does not fit the count, are errors: which socket is which could
// only be guessed.
//
// Sockets of one unit come in the order of the unit; the order between units is
// undefined, so tell them apart by name.
func Descriptors(env Env, pid int) ([]Descriptor, error) {
	ours, err := addressedTo(env, envListenPID, pid)
	if err != nil || !ours {
		return nil, err
	}
	if ours, err = pidfdIDMatches(env, pid); err != nil || !ours {
		return nil, err
	}
	text := env(envListenFDs)
	if text == "" {
		return nil, nil
	}
	count, err := strconv.ParseUint(text, 10, 31)
	if err != nil || count > math.MaxInt32-firstFD {
		return nil, fmt.Errorf("read %s=%q: not a number of descriptors", envListenFDs, text)
	}
	if count == 0 {
		return nil, nil
	}
	return named(count, env(envListenFDNames))
}

// named numbers and names count descriptors. names is a list with colons
// between, or "" if there are none.
func named(count uint64, names string) ([]Descriptor, error) {
	var list []string
	if names != "" {
		list = strings.Split(names, ":")
		if uint64(len(list)) != count {
			return nil, fmt.Errorf("read %s=%q: %d names for %d descriptors", envListenFDNames, names, len(list), count)
		}
	}
	if count > maxOpen {
		// Nobody can have that many open; do not reserve memory for the claim.
		return nil, fmt.Errorf("read %s=%d: more descriptors than a process can hold", envListenFDs, count)
	}
	passed := make([]Descriptor, count)
	for i := range passed {
		passed[i] = Descriptor{FD: firstFD + i, Name: unnamed}
		if list != nil && list[i] != "" {
			passed[i].Name = list[i]
		}
	}
	return passed, nil
}

// maxOpen is the kernel's default for fs.nr_open, the most descriptors that one
// process can have.
const maxOpen = 1 << 20

// Inherited takes over the sockets that systemd passed to process pid, which is
// the calling process: those of [Descriptors], which also says when the result
// is nil, nil.
//
// It succeeds as a whole or not at all: a descriptor that is not a listening
// stream socket is a broken unit, and to serve on half of the addresses would
// be worse than not to start. Such a failure is a [*SocketError], and then
// every descriptor is as it was. A service that keeps other things in its
// descriptor store uses Descriptors and [FromFD] instead.
//
// Call it once, early, before anything else can occupy the numbers from 3
// upwards, and give children an environment from [Unset].
func Inherited(env Env, pid int) ([]Socket, error) {
	passed, err := Descriptors(env, pid)
	if err != nil || passed == nil {
		return nil, err
	}
	return takeOver(passed)
}

// takeOver looks at all descriptors before it changes the first.
func takeOver(passed []Descriptor) ([]Socket, error) {
	sockets := make([]Socket, 0, len(passed))
	for _, d := range passed {
		s, err := inspect(d.FD, d.Name)
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, s)
	}
	for _, s := range sockets {
		if err := own(s.FD); err != nil {
			return nil, fmt.Errorf("take over fd %d (%s): %w", s.FD, s.Name, err)
		}
	}
	return sockets, nil
}

// FromFD takes over descriptor fd, a listening stream socket that the process
// was started with, under the given name. It is made close-on-exec and
// non-blocking, and belongs to the returned Socket. Any other descriptor is
// refused with a [*SocketError] and left as it was.
//
// A descriptor may come to a process under two titles, as one of
// [Inherited] and as fd://3 on the command line; it must not be taken over
// twice, because then it has two owners. The caller compares the FD fields.
func FromFD(fd int, name string) (Socket, error) {
	sockets, err := takeOver([]Descriptor{{FD: fd, Name: name}})
	if err != nil {
		return Socket{}, err
	}
	return sockets[0], nil
}

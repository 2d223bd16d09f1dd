package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

const (
	// stateVersion is that of the state that this version writes. It grows when a
	// reader that does not know a field would do harm; a field that may be passed
	// over does not need it.
	stateVersion = 1
	// oldestState is the oldest that this version reads: one before stateVersion,
	// once there is one.
	oldestState = 1
	// stateLimit bounds what is read, in bytes. A worker takes some three hundred.
	stateLimit = 16 << 20
)

// state is the service, written down for the image that is executed in place of this
// one (docs/adr/0013-state-in-a-memfd.md). Descriptors are numbers that are valid in
// both; -1 is none. What is left out is what a calm service can do without.
//
// Only the fields are the format: their names in JSON stay, a new one is optional,
// and readers pass over those they do not know. testdata/state-v1.json is read by a
// test for ever.
type state struct {
	Version int    `json:"version"`
	Writer  string `json:"writer"` // version of the program that wrote it

	Path  string    `json:"path"` // of the binary, as it was started
	Args  []string  `json:"args"`
	Home  string    `json:"home"` // working directory at the start
	Began time.Time `json:"began"`
	Epoch uint8     `json:"epoch"` // of the last gateway
	Last  int       `json:"last"`  // number of the last generation

	Sockets    []heldSocket   `json:"sockets"`
	PIDFile    string         `json:"pid_file"`
	Gateway    heldGateway    `json:"gateway"`
	Generation heldGeneration `json:"generation"`
	Reload     heldReload     `json:"reload"`

	Keep []int `json:"keep"` // descriptors that the arguments name
	// Descriptors and Texts are for what else must outlive the exec: whoever has
	// such a thing adds it in carry and takes it back in carried.
	Descriptors map[string]int    `json:"descriptors,omitempty"`
	Texts       map[string]string `json:"texts,omitempty"`
}

// heldSocket is an activation.Socket.
type heldSocket struct {
	Name    string `json:"name"`
	FD      int    `json:"fd"`
	Network string `json:"network"`
	Address string `json:"address"`
	Owned   bool   `json:"owned"`
	Device  uint64 `json:"device,omitempty"` // of the file of a Unix socket that we bound
	Inode   uint64 `json:"inode,omitempty"`
}

func holdSocket(s activation.Socket) heldSocket {
	return heldSocket{
		Name: s.Name, FD: s.FD, Network: s.Network, Address: s.Address, Owned: s.Owned, Device: s.File.Device, Inode: s.File.Inode,
	}
}

func (h heldSocket) socket() activation.Socket {
	return activation.Socket{
		Name: h.Name, FD: h.FD, Network: h.Network, Address: h.Address, Owned: h.Owned,
		File: activation.FileID{Device: h.Device, Inode: h.Inode},
	}
}

// heldChild is a gateway or a mold. Its PID is 0 if none runs.
type heldChild struct {
	PID     int       `json:"pid"`
	Channel int       `json:"channel"`
	Started time.Time `json:"started"`
}

type heldGateway struct {
	heldChild
	Board   int             `json:"board"`
	Counts  int             `json:"counts"`
	Config  json.RawMessage `json:"config"` // gateway.Config
	Ordered bool            `json:"ordered"`
	Serving bool            `json:"serving"`
}

type heldGeneration struct {
	Number   int                        `json:"number"`
	Settings map[string]settings.Record `json:"settings"`
	Script   string                     `json:"script"`
	Python   string                     `json:"python"` // that runs the script
	Hooks    []string                   `json:"hooks"`
	Dir      string                     `json:"dir"`

	Wanted int         `json:"wanted"`
	Before int         `json:"before"`
	Lane   [2]int      `json:"lane"` // the gateway's end, the workers' end
	Board  int         `json:"board"`
	Own    bool        `json:"own"`
	Course *heldCourse `json:"course"`

	Mold       heldChild    `json:"mold"`
	Configured bool         `json:"configured"` // the mold
	Pool       pool.State   `json:"pool"`
	Workers    []heldWorker `json:"workers"`
}

type heldCourse struct {
	Interface string `json:"interface"`
	Seats     int    `json:"seats"`
	Own       bool   `json:"own"`
}

type heldWorker struct {
	Slot     int     `json:"slot"`
	PID      int     `json:"pid"`
	Report   int     `json:"report"`
	Replies  []int   `json:"replies"`
	Lane     *[2]int `json:"lane"`   // of its own
	Stacks   int     `json:"stacks"` // where it shows what it does
	Signal   int     `json:"signal"` // that makes it do so
	Ready    bool    `json:"ready,omitempty"`
	Joined   bool    `json:"joined,omitempty"`
	Refused  bool    `json:"refused,omitempty"`
	Replaced bool    `json:"replaced,omitempty"`
	Released bool    `json:"released,omitempty"`
	Large    bool    `json:"large,omitempty"`
}

// heldReload is the reload that the exec is a step of.
type heldReload struct {
	Began    time.Time `json:"began"`
	Again    bool      `json:"again"`    // another was asked for meanwhile
	Exchange bool      `json:"exchange"` // and that with an exec
}

// descriptors are all that an image must get.
func (st *state) descriptors() (fds []int) {
	add := func(some ...int) {
		for _, fd := range some {
			if fd >= 0 {
				fds = append(fds, fd)
			}
		}
	}
	for _, s := range st.Sockets {
		add(s.FD)
	}
	g := &st.Generation
	add(st.Gateway.Channel, st.Gateway.Board, st.Gateway.Counts, g.Mold.Channel, g.Board, g.Lane[0], g.Lane[1])
	for _, w := range g.Workers {
		add(w.Report, w.Stacks)
		add(w.Replies...)
		if w.Lane != nil {
			add(w.Lane[0], w.Lane[1])
		}
	}
	add(st.Keep...)
	for _, fd := range st.Descriptors {
		add(fd)
	}
	return fds
}

// write puts the state into a memfd that nobody can change, which is close-on-exec
// and the caller's.
func (st *state) write() (fd int, err error) {
	text, err := json.Marshal(st)
	if err != nil {
		return -1, fmt.Errorf("write the state down: %w", err)
	}
	fd, err = unix.MemfdCreate("indrik-state", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("make a memfd for the state: %w", err)
	}
	for at := 0; at < len(text) && err == nil; {
		var n int
		if n, err = unix.Pwrite(fd, text[at:], int64(at)); errors.Is(err, unix.EINTR) {
			err = nil
		}
		at += max(n, 0)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, stateSeals)
	}
	if err != nil {
		closeAll([]int{fd})
		return -1, fmt.Errorf("write the state to a memfd: %w", err)
	}
	return fd, nil
}

const stateSeals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// readState reads what write has written, perhaps in another version. The descriptor
// stays the caller's.
func readState(fd int) (*state, error) {
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err == nil && seals&stateSeals != stateSeals {
		err = errors.New("it is not sealed")
	}
	var info unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &info)
	}
	if err == nil && (info.Size == 0 || info.Size > stateLimit) {
		err = fmt.Errorf("it has %d bytes", info.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("read the state from fd %d: %w", fd, err)
	}
	text := make([]byte, info.Size)
	for at := 0; at < len(text); {
		n, err := unix.Pread(fd, text[at:], int64(at))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return nil, fmt.Errorf("read the state from fd %d: %w", fd, err)
		}
		at += n
	}
	return decodeState(text)
}

// decodeState looks at the version first: the fields of another may mean something
// else.
func decodeState(text []byte) (*state, error) {
	var head struct {
		Version int    `json:"version"`
		Writer  string `json:"writer"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("decode the state: %w", err)
	}
	if err := canRead(head.Version, oldestState, stateVersion); err != nil {
		return nil, fmt.Errorf("the state of version %q: %w", head.Writer, err)
	}
	st := &state{}
	if err := json.Unmarshal(text, st); err != nil {
		return nil, fmt.Errorf("decode the state of version %q: %w", head.Writer, err)
	}
	return st, nil
}

// canRead reports why a reader of the versions oldest to newest of the state cannot
// read one of version.
func canRead(version, oldest, newest int) error {
	if version >= oldest && version <= newest {
		return nil
	}
	return fmt.Errorf("its format has number %d, and %d to %d can be read; restart the service instead of reloading it", version, oldest, newest)
}

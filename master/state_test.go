package master

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

var updateState = flag.Bool("update-state", false, "write testdata/state-vN.json for a new number of the state")

// fullState is a state with something in every field.
func fullState() *state {
	cause := pool.LoadFailed
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	st := &state{
		Version: 1, Writer: "0.1.0", Path: "/usr/bin/indrik", Args: []string{"indrik", "-w", "2", "app:app"}, Home: "/srv/app",
		Began: at, Epoch: 255, Last: 7, PIDFile: "/run/app.pid", Keep: []int{30},
		Sockets: []heldSocket{
			{Name: "web", FD: 3, Network: "tcp", Address: "127.0.0.1:8000"},
			{Name: "unix:/run/app.sock", FD: 4, Network: "unix", Address: "/run/app.sock", Owned: true, Device: 5, Inode: 6},
		},
		Gateway: heldGateway{
			heldChild: heldChild{PID: 100, Channel: 8, Started: at}, Board: 9, Counts: 10, Config: json.RawMessage(`{"epoch": 255, "loops": 2}`), Ordered: true, Serving: true,
		},
		Generation: heldGeneration{
			Number: 7, Settings: map[string]settings.Record{"workers": {Texts: []string{"2"}, Source: "command line", Origin: "-w"}},
			Script: "/srv/app/gunicorn.conf.py", Python: "/usr/bin/python3", Hooks: []string{"post_fork"}, Dir: "/srv/app/src",
			Wanted: 2, Before: -1, Lane: [2]int{11, 12}, Board: 13, Own: true, Course: &heldCourse{Interface: "asgi", Seats: 1000, Own: true},
			Mold: heldChild{PID: 101, Channel: 14, Started: at}, Configured: true,
			Pool: pool.State{
				Deaths: []time.Duration{1e9}, Spent: true,
				Slots: []pool.Held{{
					Slot: 1, Phase: pool.Busy, NotBefore: 1, Restarts: 2, Missed: true, Pauses: 3, PID: 102, Entered: 4, Born: 5, Booted: true, ReadyAt: 6,
					Said: &cause, KilledFor: pool.Deaf, Unwanted: true, Extended: 7,
				}},
			},
			Workers: []heldWorker{{
				Slot: 1, PID: 102, Report: 15, Replies: []int{16, 17}, Lane: &[2]int{18, 19}, Stacks: 20, Signal: 50,
				Ready: true, Joined: true, Refused: true, Replaced: true, Released: true, Large: true,
			}},
		},
		Reload:      heldReload{Began: at, Again: true, Exchange: true},
		Descriptors: map[string]int{carriedDoor: 21},
		Texts:       map[string]string{carriedEvents: "{}"},
	}
	return st
}

// What earlier versions wrote is read as they meant it, for ever.
func TestStatesOfEarlierVersions(t *testing.T) {
	path := filepath.Join("testdata", "state-v1.json")
	if *updateState {
		text, err := json.MarshalIndent(fullState(), "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeState(text)
	if err != nil {
		t.Fatal(err)
	}
	got.Gateway.Config = json.RawMessage(strings.Join(strings.Fields(string(got.Gateway.Config)), " "))
	want := fullState()
	want.Gateway.Config = json.RawMessage(`{ "epoch": 255, "loops": 2 }`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read as\n%+v\nwant\n%+v", got, want)
	}
}

// A state goes through the memfd unchanged, names every descriptor that the next image
// needs, and cannot be changed on the way.
func TestStateInAMemfd(t *testing.T) {
	want := fullState()
	fds := want.descriptors()
	slices.Sort(fds)
	if all := []int{3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 30}; !slices.Equal(fds, all) {
		t.Errorf("descriptors %v, want %v", fds, all)
	}
	fd, err := want.write()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll([]int{fd})
	if _, err := unix.Pwrite(fd, []byte("x"), 0); err == nil {
		t.Error("the state can be written to")
	}
	got, err := readState(fd)
	if err != nil {
		t.Fatal(err)
	}
	got.Gateway.Config = want.Gateway.Config // compacted
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read as\n%+v\nwant\n%+v", got, want)
	}
}

func TestStatesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"of a later version": {`{"version": 2, "writer": "9.9", "sockets": "changed"}`, `"9.9": its format has number 2, and 1 to 1 can be read; restart`},
		"of none":            {`{}`, "number 0"},
		"cut":                {`{"version": 1, "wri`, "unexpected end"},
		"of other types":     {`{"version": 1, "sockets": "changed"}`, "cannot unmarshal"},
		"of odd phases":      {`{"version": 1, "generation": {"pool": {"slots": [{"phase": "odd"}]}}}`, `no phase is called "odd"`},
	} {
		if _, err := decodeState([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
	if _, err := decodeState([]byte(`{"version": 1, "of_a_later_version": {"a": 1}}`)); err != nil {
		t.Errorf("an unknown field: %v", err)
	}
	open, err := unix.MemfdCreate("open", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll([]int{open})
	if _, err := readState(open); err == nil || !strings.Contains(err.Error(), "not sealed") {
		t.Errorf("a memfd that is not sealed: %v", err)
	}
}

// What is wrong with a state shows before anything of it was used up, so that the
// image before finds all of it.
func TestRestoreThatFailsLeavesEverything(t *testing.T) {
	spare, err := unix.MemfdCreate("spare", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll([]int{spare})
	for name, spoil := range map[string]func(*state){
		"a listener that is none": func(st *state) { st.Sockets[0].FD = spare },
		"settings that are refused": func(st *state) {
			st.Sockets = nil
			st.Generation.Settings["workers"] = settings.Record{Texts: []string{"-1"}}
		},
		"a gateway of another kind": func(st *state) { st.Sockets = nil; st.Gateway.Config = json.RawMessage(`[]`) },
		"a scoreboard that is none": func(st *state) { st.Sockets = nil; st.Gateway.Board = spare },
		"a descriptor that is none": func(st *state) { st.Sockets = nil; st.Gateway.Board = 1 << 20 },
		"nothing in it":             func(st *state) { *st = state{}; st.Gateway.Config = nil },
	} {
		st := fullState()
		st.Generation.Dir = "."
		spoil(st)
		m := newMaster(Config{Log: hclog.NewNullLogger(), PID: os.Getpid()})
		if _, err := m.restore(st); err == nil {
			t.Errorf("%s was restored", name)
		}
		if _, err := unix.FcntlInt(uintptr(spare), unix.F_GETFD, 0); err != nil {
			t.Fatalf("%s: the descriptor is gone: %v", name, err)
		}
	}
}

func TestResumeVariable(t *testing.T) {
	for _, text := range []string{"x", "7", "7,", "1,7", "7,2", "-1,7"} {
		if _, err := NewResume(text, ""); err == nil || !strings.Contains(err.Error(), ResumeVariable) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if r, err := NewResume("", ""); r != nil || err != nil {
		t.Errorf("not set: %v, %v", r, err)
	}
	r, err := NewResume("1000,1001,10,28", "why")
	if err != nil || r.state != 1000 || r.old != 1001 || !slices.Equal(r.signals, []int{10, 28}) || r.Taken() {
		t.Errorf("got %+v, %v", r, err)
	}
	// An image that was returned to does not return: there would be no end of it.
	if err := r.Return(Config{}, os.ErrInvalid); err != os.ErrInvalid {
		t.Errorf("returned with %v", err)
	}
}

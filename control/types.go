package control

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Status is what a service does and how it is. Times are in seconds, memory in
// bytes; a figure that nobody could find out is absent.
type Status struct {
	Name       string     `json:"name"` // of the application, or what proc_name says
	Version    string     `json:"version"`
	PID        int        `json:"pid"`   // of the master
	Stage      string     `json:"stage"` // booting, serving, stopping
	Text       string     `json:"text"`  // what systemctl status shows
	Since      time.Time  `json:"since"` // when the master began
	Generation int        `json:"generation"`
	Wanted     int        `json:"wanted"` // workers
	LogLevel   string     `json:"log_level"`
	Program    []string   `json:"program,omitempty"` // that the workers are, with its arguments; then there is no gateway and no mold
	Gateway    Gateway    `json:"gateway,omitzero"`
	Totals     Totals     `json:"totals,omitzero"`
	Pressure   *Pressure  `json:"pressure,omitempty"` // of all processes of the service
	Mold       Process    `json:"mold,omitzero"`
	Master     Process    `json:"master"`
	Workers    []Worker   `json:"workers"`
	Listeners  []Listener `json:"listeners"`
	Kept       *Kept      `json:"kept,omitempty"`
	Reload     *Reload    `json:"reload,omitempty"` // the last one, or the one that runs
	Deaths     []Event    `json:"deaths,omitempty"` // the last of workers that were nobody's wish, oldest first
}

// Process is what the kernel says of a process.
type Process struct {
	PID int `json:"pid,omitempty"`
	// CPU is the processor time it has used, user and system.
	CPU float64 `json:"cpu_seconds,omitempty"`
	// Memory is its proportional share (PSS): pages shared with others counted in
	// parts. Own (USS) is what its end would free.
	Memory int64 `json:"memory,omitempty"`
	Own    int64 `json:"memory_own,omitempty"`
	// At is when the kernel was asked for all that: seldom at each question.
	At time.Time `json:"at,omitzero"`
}

// Gateway is what the loops of the gateway count, all together.
type Gateway struct {
	Process
	Connections uint64  `json:"connections"`
	Queued      uint64  `json:"queued"`                   // requests that wait in the gateway
	Oldest      float64 `json:"queued_seconds,omitempty"` // how long the first of them has waited
	Dispatched  uint64  `json:"dispatched"`               // requests with workers
	Answered    uint64  `json:"answered"`                 // since this gateway began
	Accepted    uint64  `json:"accepted"`                 // connections, the same
}

// Worker is one process that answers requests.
type Worker struct {
	Process
	Slot       int      `json:"slot"`
	Generation int      `json:"generation"`
	Phase      string   `json:"phase"`
	For        float64  `json:"phase_seconds"`   // how long it has been in it
	Seats      int      `json:"seats,omitempty"` // 0: it is a program, and what follows about requests is not known
	Busy       int      `json:"busy"`            // seats that hold a request, as far as the scoreboard shows them
	Oldest     float64  `json:"request_seconds,omitempty"`
	Request    *Request `json:"request,omitempty"` // the one that it has had longest
	Answered   uint64   `json:"answered"`
	Restarts   uint64   `json:"restarts"` // of this slot, that were its workers' fault
	Leaves     bool     `json:"leaving,omitempty"`
	Status     string   `json:"status,omitempty"` // what a program says of itself
	Group      *Group   `json:"group,omitempty"`  // if it has a control group of its own
}

// MarshalJSON leaves out what is not known of a program.
func (w Worker) MarshalJSON() ([]byte, error) {
	type whole Worker
	if w.Seats > 0 {
		return json.Marshal(whole(w))
	}
	return json.Marshal(struct {
		whole
		Busy     *int    `json:"busy,omitempty"`
		Answered *uint64 `json:"answered,omitempty"`
	}{whole: whole(w)})
}

// Listener is a socket that clients connect to.
type Listener struct {
	Name    string `json:"name"`
	Network string `json:"network"`
	Address string `json:"address"`
	From    string `json:"from"` // systemd or bind
	// Waiting is how many connections are in the kernel's accept queue, Backlog how
	// many may be.
	Waiting *int `json:"waiting,omitempty"`
	Backlog *int `json:"backlog,omitempty"`
}

// States of a [Request].
const (
	InQueue = "queued"     // it waits in the gateway for a worker with room
	Given   = "dispatched" // it is in a lane, or with a worker that shows no seats
	Held    = "held"       // a seat works on it
	Begun   = "begun"      // its response is on its way to the client, or it is a conversation
)

// Request is one that the gateway has in hand, or that a seat holds.
type Request struct {
	ID    string `json:"id"` // as the gateway's log has it
	State string `json:"state"`
	// Method and Path are as the application sees them, the path without its query and cut
	// at 200 bytes; the method of a WebSocket is WEBSOCKET. Client is an address; that of a
	// Unix socket is empty. All are empty if the gateway did not answer.
	Method     string  `json:"method,omitempty"`
	Path       string  `json:"path,omitempty"`
	Client     string  `json:"client,omitempty"`
	Slot       *int    `json:"slot,omitempty"` // of the worker that has it; nil: none, or nobody knows which
	Seat       *int    `json:"seat,omitempty"`
	Generation int     `json:"generation,omitempty"`
	PID        int     `json:"pid,omitempty"` // of the worker
	Age        float64 `json:"seconds"`       // since the gateway had all of it that a worker needs
	Waited     float64 `json:"queued_seconds"`
}

// States of a [Reload].
const (
	Queued  = "queued" // another runs before it, or the service boots
	Running = "running"
	Done    = "done"   // its generation serves
	Failed  = "failed" // what was before serves on
)

// Reload is one reload, from the wish to its outcome.
type Reload struct {
	ID         int64     `json:"id"`
	State      string    `json:"state"`
	Rollback   bool      `json:"rollback,omitempty"` // to the generation before
	Asked      time.Time `json:"asked"`
	Generation int       `json:"generation,omitempty"` // that serves since, or goes on serving
	Seconds    float64   `json:"seconds"`              // from the beginning until now or the outcome
	Progress   string    `json:"progress,omitempty"`
	Reason     string    `json:"reason,omitempty"`    // why it failed, on one line
	Traceback  string    `json:"traceback,omitempty"` // what the application said, whole
}

// Over reports that the outcome is known.
func (r Reload) Over() bool { return r.State == Done || r.State == Failed }

// Kept is the generation before, to which a rollback would return.
type Kept struct {
	Generation int     `json:"generation"`
	Workers    int     `json:"workers"` // that are left of it
	Frozen     bool    `json:"frozen"`  // by its control groups
	Left       float64 `json:"seconds"` // for how long it is kept
	Memory     int64   `json:"memory"`  // of its workers and its mold
	Mold       int     `json:"mold_pid,omitempty"`
}

// Event is something that happened to the service.
type Event struct {
	Time       time.Time `json:"time"`
	What       string    `json:"what"` // one of a few words: see docs/control.md
	Generation int       `json:"generation,omitempty"`
	Slot       *int      `json:"slot,omitempty"`
	PID        int       `json:"pid,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Detail     string    `json:"detail,omitempty"`
}

// Stacks is what a worker was doing when it was asked.
type Stacks struct {
	Slot       int    `json:"slot"`
	Generation int    `json:"generation"`
	PID        int    `json:"pid"`
	Phase      string `json:"phase"`
	Text       string `json:"text,omitempty"`
	Error      string `json:"error,omitempty"` // why there is no text
}

// Scaled is the outcome of a change of the number of workers.
type Scaled struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Recycled is which workers are being replaced.
type Recycled struct {
	Slots []int `json:"slots"`
}

// Level is a log level, perhaps for a time.
type Level struct {
	Level   string  `json:"level"`
	Seconds float64 `json:"seconds,omitempty"` // after which the configured one counts again; 0: for good
}

// Amount is a number, or a change of one: "4", "+1", "-2".
type Amount struct {
	Relative bool
	N        int
}

// ParseAmount reads one.
func ParseAmount(text string) (Amount, error) {
	a := Amount{Relative: strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-")}
	var err error
	if a.N, err = strconv.Atoi(text); err != nil {
		return a, fmt.Errorf("workers %q: write a number like 4, or a change like +1 or -1", text)
	}
	return a, nil
}

// Of is the number that comes of n.
func (a Amount) Of(n int) int {
	if a.Relative {
		return n + a.N
	}
	return a.N
}

// String is how it is written.
func (a Amount) String() string {
	if a.Relative {
		return fmt.Sprintf("%+d", a.N)
	}
	return strconv.Itoa(a.N)
}

// MarshalJSON writes it as text, for JSON has no +1.
func (a Amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// UnmarshalJSON reads text, or a number.
func (a *Amount) UnmarshalJSON(text []byte) error {
	var err error
	*a, err = ParseAmount(strings.Trim(string(text), `"`))
	return err
}

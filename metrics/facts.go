package metrics

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Source gives the facts of now. It waits no longer than ctx lasts; its error is
// why there are none, in words for a person.
type Source func(ctx context.Context) (*Facts, error)

// Seconds is a length of time that is written as a number of seconds in JSON.
type Seconds time.Duration

// MarshalJSON writes a number.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	*s = Seconds(seconds * float64(time.Second))
	return nil
}

// Facts are the state of a service at one moment. Ages and lengths of time that are
// negative are not known.
type Facts struct {
	At      time.Time `json:"at"`
	Name    string    `json:"name"`    // of the application
	Version string    `json:"version"` // of Indrik
	PID     int       `json:"pid"`     // of the master
	Began   time.Time `json:"began"`
	Stage   string    `json:"stage"` // booting, serving, stopping
	Words   string    `json:"status"`

	// Ill and NotReady are why the service is not alive and not ready; "" if it is.
	Ill      string `json:"ill"`
	NotReady string `json:"not_ready"`

	// Program is what the workers are, with its arguments. Then there is no gateway, and what
	// of workers is about requests is not known.
	Program []string `json:"program,omitempty"`

	Generation  int      `json:"generation"`  // that serves, or is to
	Generations int      `json:"generations"` // that have processes
	Wanted      int      `json:"workers_wanted"`
	Workers     []Worker `json:"workers"`        // of all generations
	Seats       Seats    `json:"seats,omitzero"` // of the generation that serves

	Gateway   Gateway   `json:"gateway,omitzero"`
	Counts    Counts    `json:"counts,omitzero"`
	Processes []Process `json:"processes"` // but for workers
	Watchdog  Watchdog  `json:"watchdog"`

	Ends     map[string]uint64 `json:"worker_ends"` // of workers, by cause
	Restarts map[string]uint64 `json:"restarts"`    // of gateways and molds, by process
	Reloads  Reloads           `json:"reloads"`
	History  []Sample          `json:"-"`

	Application Application `json:"-"` // nil: it counts nothing itself
	told        *gathered   // by it, for an answer with metrics; nil if it was not asked
}

// Clone copies facts, so that they can be measured.
func (f *Facts) Clone() *Facts {
	c := *f
	c.Workers, c.Processes = slices.Clone(f.Workers), slices.Clone(f.Processes)
	return &c
}

// Worker is one process that answers requests.
type Worker struct {
	Generation int     `json:"generation"`
	Slot       int     `json:"slot"`
	PID        int     `json:"pid"` // 0: not forked yet
	Phase      string  `json:"phase"`
	Says       string  `json:"says,omitempty"` // a program of itself
	Seats      int     `json:"seats"`          // requests that it takes at a time
	Busy       int     `json:"busy"`           // seats that have one; -1 if only the gateway knows
	RequestAge Seconds `json:"request_age"`    // of the one that it has had longest
	BeatAge    Seconds `json:"beat_age"`
	Answered   uint64  `json:"answered"`
	Use
}

// Seats are those of all ready workers of a generation together.
type Seats struct {
	All  int `json:"all"`
	Busy int `json:"busy"`
}

// Gateway is what is so there at the moment.
type Gateway struct {
	Serving     bool      `json:"serving"`
	Connections int       `json:"connections"`
	HTTP2       int       `json:"http2_connections"`
	WebSockets  int       `json:"websockets"`
	Takeovers   int       `json:"takeovers"`
	Queued      int       `json:"queued"`
	Oldest      Seconds   `json:"oldest"` // how long the first in the queue waits
	Dispatched  int       `json:"dispatched"`
	BeatAges    []Seconds `json:"beat_ages"` // of each loop
}

// Counts only grow, over restarts of gateways and over reloads.
type Counts struct {
	Requests      []Request         `json:"requests"`
	Abandoned     uint64            `json:"abandoned"`
	Latency       Histogram         `json:"latency"`
	Wait          Histogram         `json:"queue_wait"`
	Received      uint64            `json:"received_bytes"`
	Sent          uint64            `json:"sent_bytes"`
	Accepted      uint64            `json:"accepted"`
	HTTP2         uint64            `json:"http2_connections"`
	Handshakes    uint64            `json:"tls_handshakes"`
	BadHandshakes uint64            `json:"tls_handshakes_failed"`
	WebSockets    uint64            `json:"websockets"`
	Takeovers     uint64            `json:"takeovers"`
	Refused       map[string]uint64 `json:"refused"`
}

// Request counts those of one kind.
type Request struct {
	Protocol string `json:"protocol"`
	Class    string `json:"class"` // of the status: "2xx"
	Count    uint64 `json:"count"`
}

// Answered is how many requests were answered with statuses of a class, "" for all.
func (c *Counts) Answered(class string) (n uint64) {
	for _, r := range c.Requests {
		if class == "" || r.Class == class {
			n += r.Count
		}
	}
	return n
}

// Histogram counts times by their length.
type Histogram struct {
	Bounds  []float64 `json:"bounds"`  // upper ends in seconds, themselves included
	Buckets []uint64  `json:"buckets"` // not added up; one more than Bounds
	Sum     float64   `json:"sum"`     // in seconds
}

// Count is how many times there are.
func (h Histogram) Count() (n uint64) {
	for _, in := range h.Buckets {
		n += in
	}
	return n
}

// Process is one of ours that is no worker.
type Process struct {
	Role string `json:"role"`
	PID  int    `json:"pid"`
	Use
}

// Watchdog is what systemd is told.
type Watchdog struct {
	Interval Seconds `json:"interval"` // 0: nobody asks
	Withheld bool    `json:"withheld"`
}

// Reloads are those that ended.
type Reloads struct {
	Done   uint64  `json:"done"`
	Failed uint64  `json:"failed"`
	Time   Seconds `json:"time"` // that those done took, together
	Last   *Reload `json:"last"` // nil if there was none
}

// Reload is one that ended.
type Reload struct {
	At     time.Time `json:"at"`
	Took   Seconds   `json:"took"`
	Failed string    `json:"failed"` // why; "" if it did not
}

package master

import "fmt"

// stage is how far the service is in its life. It only grows.
type stage uint8

const (
	booting  stage = iota // no request would be answered yet
	serving               // READY=1 was sent
	stopping              // asked to leave, or failed
)

// String returns the word.
func (s stage) String() string {
	switch s {
	case booting:
		return "booting"
	case serving:
		return "serving"
	case stopping:
		return "stopping"
	default:
		return fmt.Sprintf("stage(%d)", uint8(s))
	}
}

// outlook is what the status line tells, taken from the master's state.
type outlook struct {
	stage      stage
	generation int
	wanted     int    // workers wanted
	starting   int    // processes that have not said they are ready
	ready      int    // workers that serve
	occupied   int    // processes of any phase
	drained    bool   // the gateway holds nothing any more
	failure    string // why the service ends, or ""
	trouble    string // what is wrong at the moment, or ""
	farewell   string // that it stops soon, or ""
	reload     string // what there is to say of one, or ""
	parting    string // why the service stops by itself, or ""
}

// words returns the service's status for a person who types `systemctl status`.
func (o outlook) words() string {
	var s string
	switch {
	case o.failure != "":
		return "failed: " + o.failure
	case o.stage == booting && o.starting+o.ready == 0:
		s = fmt.Sprintf("booting: starting Python for %s", count(o.wanted))
	case o.stage == booting:
		s = fmt.Sprintf("booting %d of %s", o.starting+o.ready, count(o.wanted))
	case o.stage == serving && o.ready >= o.wanted:
		s = fmt.Sprintf("serving: %s, generation %d", count(o.ready), o.generation)
	case o.stage == serving:
		s = fmt.Sprintf("serving: %d of %s, generation %d", o.ready, count(o.wanted), o.generation)
	case o.parting != "":
		s = o.parting
	case !o.drained:
		s = "draining: finishing the requests in hand"
	default:
		s = fmt.Sprintf("draining: waiting for %s to leave", count(o.occupied))
	}
	if o.farewell != "" && o.stage != stopping {
		s += "; " + o.farewell
	}
	if o.reload != "" && o.stage != stopping {
		s += "; " + o.reload
	}
	if o.trouble != "" {
		s += "; " + o.trouble
	}
	return s
}

func count(workers int) string {
	if workers == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", workers)
}

// noun is what it is called.
func (r *reload) noun() string {
	if r.back {
		return "rollback"
	}
	return "reload"
}

// words tells of a reload that runs, or that the last one failed.
func (r *reload) words() string {
	switch r.step {
	case checking:
		return "reload: trying the new binary"
	case quieting:
		return "reload: executing the new binary"
	case reading:
		return "reload: reading the configuration"
	case raising:
		t := r.next.count()
		return fmt.Sprintf("%s: %d of %s of generation %d ready", r.noun(), t.ready, count(r.next.wanted), r.next.number)
	case moving:
		return r.noun() + ": starting another gateway"
	case leaving:
		return fmt.Sprintf("generation %d finishes its requests", r.prior.number)
	case calm, undoing:
	}
	if r.why != nil {
		return r.noun() + " failed: " + r.why.Error()
	}
	return ""
}

// under reports that somebody waits for the outcome of a reload.
func (r *reload) under() bool {
	switch r.step {
	case checking, quieting, reading, raising, moving:
		return true
	case leaving:
		return !r.announced
	case calm, undoing:
	}
	return false
}

package master

import (
	"errors"
	"slices"
	"time"

	"github.com/indrik/indrik/control"
)

// keptReloads is how many outcomes are remembered for those who ask late.
const keptReloads = 20

// reloads is the register of reloads: who asked for one learns its outcome by its
// number. It belongs to the master's loop; it is plain data but for news, so that the
// next image of the process can go on with it.
type reloads struct {
	last   int64            // number that was given out
	queued *control.Reload  // was asked for, and waits for the one that runs
	now    *control.Reload  // runs
	past   []control.Reload // the oldest first
	news   chan struct{}    // closed at the next change of any, and replaced; nil: nobody waits
}

// asked gives a wish its number: that of the one that waits already, if there is one.
func (r *reloads) asked(now time.Time) *control.Reload {
	if r.queued == nil {
		r.last++
		r.queued = &control.Reload{ID: r.last, State: control.Queued, Asked: now}
	}
	return r.queued
}

// begun notes that the one that waited runs.
func (r *reloads) begun(now time.Time) {
	r.now = r.asked(now)
	r.queued = nil
	r.now.State = control.Running
	r.tell()
}

// ended notes the outcome of the one that runs. began is when it did.
func (r *reloads) ended(err error, generation int, began time.Time) {
	if r.now == nil {
		return
	}
	over := *r.now
	r.now = nil
	over.State, over.Generation, over.Progress = control.Done, generation, ""
	over.Seconds = time.Since(began).Seconds()
	if err != nil {
		over.State, over.Reason = control.Failed, err.Error()
		var boot *bootFailure
		if errors.As(err, &boot) {
			over.Traceback = boot.text
		}
	}
	r.keep(over)
}

// dropped gives up what waits and what runs, for instance because the service stops.
func (r *reloads) dropped(why error, generation int, began time.Time) {
	r.ended(why, generation, began)
	if r.queued != nil {
		r.now, r.queued = r.queued, nil
		r.ended(why, generation, r.now.Asked)
	}
}

func (r *reloads) keep(over control.Reload) {
	r.past = append(r.past, over)
	r.past = slices.Delete(r.past, 0, max(len(r.past)-keptReloads, 0))
	r.tell()
}

// tell wakes those who wait for news.
func (r *reloads) tell() {
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

// next returns what is closed at the next news.
func (r *reloads) next() <-chan struct{} {
	if r.news == nil {
		r.news = make(chan struct{})
	}
	return r.news
}

// find returns what is known of a reload. progress is what the one that runs is at.
func (r *reloads) find(id int64, began time.Time, progress string) (control.Reload, bool) {
	switch {
	case r.now != nil && r.now.ID == id:
		running := *r.now
		running.Seconds, running.Progress = time.Since(began).Seconds(), progress
		return running, true
	case r.queued != nil && r.queued.ID == id:
		return *r.queued, true
	}
	i := slices.IndexFunc(r.past, func(past control.Reload) bool { return past.ID == id })
	if i < 0 {
		return control.Reload{}, false
	}
	return r.past[i], true
}

// latest is the one that runs, else the last that was over; 0 if there was none.
func (r *reloads) latest() int64 {
	switch {
	case r.now != nil:
		return r.now.ID
	case len(r.past) > 0:
		return r.past[len(r.past)-1].ID
	}
	return 0
}

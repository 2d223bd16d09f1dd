package desk

import (
	"errors"
	"slices"
	"time"

	"github.com/indrik/indrik/control"
)

// KeptReloads is how many outcomes are remembered for those who ask late.
const KeptReloads = 20

// Reloads is the register of reloads: who asked for one learns its outcome by its
// number. It belongs to the master's loop. As JSON it is a part of the master's state,
// with which the next image of the process goes on. The zero value is empty.
type Reloads struct {
	Last   int64            `json:"last"`           // number that was given out
	Queued *control.Reload  `json:"queued"`         // was asked for, and waits for the one that runs
	Back   *control.Reload  `json:"back,omitempty"` // a rollback that waits likewise; it comes first
	Now    *control.Reload  `json:"now"`            // runs
	Past   []control.Reload `json:"past"`           // the oldest first
	news   chan struct{}    // closed at the next change of any, and replaced; nil: nobody waits
}

// A traced error has more to say than one line: what an application printed.
type traced interface {
	error
	Traceback() string
}

// Asked gives a wish its number: that of the one that waits already, if there is one.
func (r *Reloads) Asked(now time.Time) *control.Reload {
	if r.Queued == nil {
		r.Last++
		r.Queued = &control.Reload{ID: r.Last, State: control.Queued, Asked: now}
	}
	return r.Queued
}

// Begun notes that the one that waited runs.
func (r *Reloads) Begun(now time.Time) {
	r.Now = r.Asked(now)
	r.Queued = nil
	r.Now.State = control.Running
	r.Tell()
}

// AskedBack gives a wish for a rollback its number. There must be none that waits.
func (r *Reloads) AskedBack(now time.Time) *control.Reload {
	r.Last++
	r.Back = &control.Reload{ID: r.Last, State: control.Queued, Asked: now, Rollback: true}
	return r.Back
}

// BegunBack notes that the rollback that waited runs.
func (r *Reloads) BegunBack() {
	r.Now, r.Back = r.Back, nil
	r.Now.State = control.Running
	r.Tell()
}

// Ended notes the outcome of the one that runs: err is why it failed, or nil. began is when it
// did begin, and generation the one that serves.
func (r *Reloads) Ended(err error, generation int, began time.Time) {
	if r.Now == nil {
		return
	}
	over := *r.Now
	r.Now = nil
	over.State, over.Generation, over.Progress = control.Done, generation, ""
	over.Seconds = time.Since(began).Seconds()
	if err != nil {
		over.State, over.Reason = control.Failed, err.Error()
		var more traced
		if errors.As(err, &more) {
			over.Traceback = more.Traceback()
		}
	}
	r.keep(over)
}

// Dropped gives up what waits and what runs, for instance because the service stops.
func (r *Reloads) Dropped(why error, generation int, began time.Time) {
	r.Ended(why, generation, began)
	for _, waits := range []**control.Reload{&r.Back, &r.Queued} {
		if *waits != nil {
			r.Now, *waits = *waits, nil
			r.Ended(why, generation, r.Now.Asked)
		}
	}
}

func (r *Reloads) keep(over control.Reload) {
	r.Past = append(r.Past, over)
	r.Past = slices.Delete(r.Past, 0, max(len(r.Past)-KeptReloads, 0))
	r.Tell()
}

// Tell wakes those who wait for news.
func (r *Reloads) Tell() {
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

// Next returns what is closed at the next news.
func (r *Reloads) Next() <-chan struct{} {
	if r.news == nil {
		r.news = make(chan struct{})
	}
	return r.news
}

// Find returns what is known of a reload. progress is what the one that runs is at.
func (r *Reloads) Find(id int64, began time.Time, progress string) (control.Reload, bool) {
	switch {
	case r.Now != nil && r.Now.ID == id:
		running := *r.Now
		running.Seconds, running.Progress = time.Since(began).Seconds(), progress
		return running, true
	case r.Queued != nil && r.Queued.ID == id:
		return *r.Queued, true
	case r.Back != nil && r.Back.ID == id:
		return *r.Back, true
	}
	i := slices.IndexFunc(r.Past, func(past control.Reload) bool { return past.ID == id })
	if i < 0 {
		return control.Reload{}, false
	}
	return r.Past[i], true
}

// Latest is the one that runs, else the last that was over; 0 if there was none.
func (r *Reloads) Latest() int64 {
	switch {
	case r.Now != nil:
		return r.Now.ID
	case len(r.Past) > 0:
		return r.Past[len(r.Past)-1].ID
	}
	return 0
}

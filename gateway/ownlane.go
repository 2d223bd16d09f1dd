package gateway

import (
	"slices"

	"github.com/indrik/indrik/dispatch"
)

// flushOwn deals waiting requests out to the workers that have lanes of their
// own. Each gets one message after the other, but all that is for one worker
// leaves in one call.
func (l *loop) flushOwn() {
	for l.queue.len() > 0 && l.choose() {
		for i := 0; i < len(l.own); i++ {
			ln := l.own[i]
			if len(ln.chosen) == 0 {
				continue
			}
			for _, r := range ln.chosen {
				l.outbox.add(r.msg)
			}
			l.sendBatch(ln, ln.chosen)
			clear(ln.chosen)
			ln.chosen = ln.chosen[:0]
		}
	}
}

// choose deals out at most an outbox full of requests. It reports false if
// there is none, or no worker has room.
func (l *loop) choose() bool {
	chosen := 0
	for chosen < batch && l.queue.len() > 0 {
		ln := l.idlest()
		if ln == nil {
			break
		}
		if r := l.queue.pop(); r.wanted() {
			ln.chosen = append(ln.chosen, r)
			chosen++
		} else {
			l.requests.drop(r)
		}
	}
	return chosen > 0
}

// idlest returns the lane with the fewest requests of this loop outstanding that
// has room for one more, or nil. Those that have equally few take turns.
func (l *loop) idlest() *lane {
	best := -1
	for i := range l.own {
		at := l.turn + i
		if at >= len(l.own) {
			at -= len(l.own)
		}
		ln := l.own[at]
		if load := ln.load(); !ln.full && load < ln.quota && (best < 0 || load < l.own[best].load()) {
			if best = at; load == 0 {
				break
			}
		}
	}
	if best < 0 {
		return nil
	}
	if l.turn = best + 1; l.turn >= len(l.own) {
		l.turn = 0
	}
	return l.own[best]
}

// tellLeft lets a worker with a lane of its own know, with the next flush, that
// the client of a request it has left. The request's place stays taken until
// the worker answers. It does nothing for requests that are still queued, and
// for workers on a shared lane, whom nothing can be told.
func (l *loop) tellLeft(r *request) {
	ln := r.lane
	if ln == nil || ln.worker == nil || ln.closed || r.told {
		return
	}
	r.told = true
	if len(ln.left) == 0 {
		l.telling = append(l.telling, ln)
	}
	ln.left = append(ln.left, r.id)
}

// tell sends what tellLeft noted. What a full lane does not take stays noted,
// and is sent when it has room or at the next sweep.
func (l *loop) tell() {
	l.telling = slices.DeleteFunc(l.telling, func(ln *lane) bool {
		for len(ln.left) > 0 && !ln.full {
			l.tellLane(ln)
		}
		return len(ln.left) == 0
	})
}

func (l *loop) tellLane(ln *lane) {
	const room = 32 // more than a message needs
	if l.notes == nil {
		l.notes = make([]byte, 0, batch*room)
	}
	notes := l.notes
	for _, id := range ln.left[:min(len(ln.left), batch)] {
		start := len(notes)
		notes = dispatch.AppendInt(dispatch.AppendTuple(notes, 3), int64(id))
		notes = dispatch.AppendNone(dispatch.AppendNone(notes))
		l.outbox.add(notes[start:])
	}
	sent, err := l.outbox.send(ln.fd)
	ln.left = slices.Delete(ln.left, 0, sent)
	if err != nil {
		l.awaitRoom(ln)
	}
}

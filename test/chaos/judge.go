package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// slack is how much later than a death its line in the log may be read.
const slack = 3 * time.Second

// judge holds the book of a round, which nobody writes any more, against itself.
type judge struct {
	*book
	began map[string][]int // processes that began a request, by its name
	kinds map[int][]string // kinds of requests that a process began
	seats int              // requests that a worker can hold; 0: any number
}

// newJudge reads what the application noted.
func newJudge(b *book, notes string, seats int) (*judge, error) {
	text, err := os.ReadFile(notes)
	if err != nil {
		return nil, fmt.Errorf("read what the application noted: %w", err)
	}
	j := &judge{book: b, began: map[string][]int{}, kinds: map[int][]string{}, seats: seats}
	for line := range strings.Lines(string(text)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("the application noted %q", line)
		}
		j.began[name] = append(j.began[name], pid)
		kind, _, _ := strings.Cut(name, "-")
		j.kinds[pid] = append(j.kinds[pid], kind)
	}
	return j, nil
}

// verdict enters everything into a tally, with a complaint for what nothing explains.
func (j *judge) verdict(t *tally) {
	paid := map[int]int{}
	for _, e := range j.entries {
		why, ok := j.explain(e)
		t.request(e, why)
		if !ok {
			t.complain("request %s: %s %d after %v, begun by %v, without a reason: %s", e.name, e.outcome, e.status,
				e.ended.Sub(e.sent).Round(time.Millisecond), j.began[e.name], e.detail)
		}
		if len(j.began[e.name]) > 1 {
			t.complain("request %s was begun more than once, by %v", e.name, j.began[e.name])
		}
		if e.outcome == answeredOtherwise {
			for _, pid := range j.began[e.name] {
				paid[pid]++
			}
		}
	}
	for pid, n := range paid {
		if j.seats > 0 && n > j.seats {
			t.complain("worker %d failed %d requests, and can hold %d", pid, n, j.seats)
		}
	}
	for _, d := range j.deaths {
		t.death(d)
		if !j.deserved(d) {
			t.complain("worker %d ended, cause=%s reason=%q signal=%s status=%s, and had %v, was sent %v",
				d.pid, d.cause, d.reason, d.signal, d.status, deeds(j.kinds[d.pid]), j.sentTo(d.pid))
		}
	}
	for name, n := range j.faults {
		t.faults[name] += n
	}
}

// explain says why a request ended as it did; false if nothing that the round did
// can be the reason.
func (j *judge) explain(e entry) (string, bool) {
	switch e.outcome {
	case answered, left:
		return string(e.outcome), true
	case answeredOtherwise:
		return j.explainStatus(e)
	case closed:
		return j.explainClose(e)
	case cut, cutShort:
		if j.gatewayStruck(e) {
			return string(e.outcome) + ", gateway killed", true
		}
		if e.outcome == cutShort && j.heldUp(e) {
			return "cut short, worker held up for too long", true
		}
		if e.outcome == cutShort && j.tooLate(e) {
			return "cut short, interrupted", true
		}
		if d, there := j.holder(e, death.fault); there && (e.outcome == cutShort || e.kind == "websocket") {
			return string(e.outcome) + ", worker: " + d.cause, true
		}
	}
	return "UNEXPLAINED " + string(e.outcome), false
}

func (j *judge) explainStatus(e entry) (string, bool) {
	word := fmt.Sprintf("%d", e.status)
	switch e.status {
	case 502:
		if d, there := j.holder(e, death.fault); there {
			return word + ", worker: " + d.cause, true
		}
	case 504:
		if d, there := j.holder(e, death.late); there {
			return word + ", worker: " + d.cause, true
		}
		if j.heldUp(e) {
			return word + ", worker held up for too long", true
		}
		if len(deeds([]string{e.kind})) > 0 || j.tooLate(e) { // it took too long and was interrupted; its worker may live
			return word + ", interrupted", true
		}
	case 503, 507:
		if e.kind == "upload" && j.during("disk full", e) {
			return word + ", disk full", true
		}
	}
	return "UNEXPLAINED " + word, false
}

func (j *judge) explainClose(e entry) (string, bool) {
	word := fmt.Sprintf("closed with %d", e.status)
	d, there := j.holder(e, func(death) bool { return true })
	switch e.status {
	case 1012: // its worker, or its gateway, was to be replaced
		if there && !d.fault() || j.during("reload", e) {
			return word + ", replaced", true
		}
		if there { // it was asked to leave, and then died of something else
			return word + ", worker: " + d.cause, true
		}
	case 1011, 1006:
		if there && d.fault() {
			return word + ", worker: " + d.cause, true
		}
	}
	return "UNEXPLAINED " + word, false
}

// holder is the death, of those that are fit, of the worker that held the request. One
// that had taken it and was killed before it could note that is known by the time only.
func (j *judge) holder(e entry, fit func(death) bool) (found death, there bool) {
	pids, begun := j.began[e.name]
	for _, d := range j.deaths {
		if begun && !slices.Contains(pids, d.pid) {
			continue
		}
		if !begun && (!d.fault() || d.unborn() || d.at.Before(e.sent) || d.at.After(e.ended.Add(slack))) {
			continue
		}
		if fit(d) {
			return d, true
		}
	}
	return death{}, false
}

// gatewayStruck reports that the gateway which had the connection may have been
// killed meanwhile.
func (j *judge) gatewayStruck(e entry) bool {
	return slices.ContainsFunc(j.blows, func(b blow) bool {
		return b.role == "gateway" && b.signal == "SIGKILL" && !e.opened.After(b.to) && !e.ended.Before(b.from)
	})
}

// heldUp reports that the worker of the request was stopped, or kept by another
// request that hangs: it may have gone on too late for this request and in time for
// itself, if the master was frozen meanwhile.
func (j *judge) heldUp(e entry) bool {
	return slices.ContainsFunc(j.began[e.name], func(pid int) bool {
		return slices.Contains(j.sentTo(pid), "SIGSTOP") || slices.ContainsFunc(j.kinds[pid], hangs)
	})
}

// tooLate reports that the worker said of the request that it was past request_timeout, and
// that its client waited so long: on a busy machine any request may take its time.
func (j *judge) tooLate(e entry) bool {
	limit, said := j.overran[e.name]
	return said && e.ended.Sub(e.sent) >= limit
}

// during reports that the request was under way in such a spell, or just after.
func (j *judge) during(what string, e entry) bool {
	return slices.ContainsFunc(j.spells, func(s spell) bool {
		return s.what == what && !e.ended.Before(s.from) && (s.to.IsZero() || !e.sent.After(s.to.Add(slack)))
	})
}

func (j *judge) sentTo(pid int) (signals []string) {
	for _, b := range j.blows {
		if b.pid == pid {
			signals = append(signals, b.signal)
		}
	}
	return signals
}

// deserved reports that a fault explains why a worker ended, and the log the right one.
func (j *judge) deserved(d death) bool {
	sent, had := j.sentTo(d.pid), deeds(j.kinds[d.pid])
	hung := slices.ContainsFunc(had, hangs)
	switch d.cause {
	case "asked":
		return true
	case "signalled":
		// CPython reads the stacks of threads that run on, and may stumble (3.11).
		stumbled := d.signal == "SIGSEGV" && slices.Contains(sent, "SIGABRT")
		return slices.Contains(sent, d.signal) || d.signal == "SIGSEGV" && slices.Contains(had, "fault") || stumbled
	case "left":
		return slices.Contains(sent, "SIGTERM")
	case "crashed":
		return slices.Contains(had, "leave")
	case "timeout":
		return hung || slices.Contains(sent, "SIGSTOP")
	case "silent", "deaf", "never ready":
		return hung || slices.Contains(sent, "SIGSTOP")
	case "load failed", "boot failed":
		return j.duringLife("broken application", d) // it boots slowly where the machine is busy
	}
	return false
}

// duringLife reports that there was such a spell while a process lived.
func (j *judge) duringLife(what string, d death) bool {
	born := d.at.Add(-d.lived - slack) // the line was read later than it ended
	return slices.ContainsFunc(j.spells, func(s spell) bool {
		return s.what == what && !d.at.Before(s.from) && (s.to.IsZero() || !born.After(s.to))
	})
}

// hangs reports that requests of a kind take too long.
func hangs(kind string) bool {
	return strings.HasPrefix(kind, "spin") || strings.HasPrefix(kind, "native")
}

// deeds are those of kinds that are no ordinary requests.
func deeds(kinds []string) (rare []string) {
	for _, kind := range kinds {
		switch kind {
		case "keep", "once", "leaver", "slow", "stream", "upload", "websocket":
		default:
			if !slices.Contains(rare, kind) {
				rare = append(rare, kind)
			}
		}
	}
	return rare
}

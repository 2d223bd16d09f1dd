package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/indrik/indrik/control"
)

// header is what is shown of the service as a whole.
func header(v *View) []line {
	s := &v.Status
	first := line{}
	mark := green
	if s.Stage != "serving" || s.Reload != nil && s.Reload.State == control.Failed {
		mark = yellow
	}
	first.write(mark, "● ")
	first.write(bold, "%s", s.Name)
	first.write(plain, "  %s  up %s  %s", s.Text, interval(v.At.Sub(s.Since).Seconds()), v.At.Format("15:04:05"))
	lines := []line{first}
	if s.Program == nil { // of programs nobody sees the requests
		lines = append(lines, requests(v), queue(s))
	}
	lines = append(lines, resources(v))
	if r := s.Reload; r != nil {
		lines = append(lines, reload(r))
	}
	return lines
}

func requests(v *View) (l line) {
	l.write(bold, "Requests ")
	l.write(plain, "%s/s  p50 %s  p99 %s  ", known(v.Answered, rate), known(v.Half, interval), known(v.Most, interval))
	failed := plain
	if v.Failed != nil && *v.Failed > 0 {
		failed = red
	}
	l.write(failed, "failed %s/s", known(v.Failed, rate))
	l.write(plain, "  in %sB/s  out %sB/s", known(v.Received, size), known(v.Sent, size))
	return l
}

func queue(s *control.Status) (l line) {
	l.write(bold, "Queue    ")
	waits := plain
	if s.Gateway.Queued > 0 {
		waits = yellow
	}
	text := fmt.Sprintf("%d wait", s.Gateway.Queued)
	if s.Gateway.Queued > 0 && s.Gateway.Oldest > 0 {
		text += " for " + interval(s.Gateway.Oldest)
	}
	l.write(waits, "%s", text)
	l.write(plain, "  %d with workers  %d connections", s.Gateway.Dispatched, s.Gateway.Connections)
	waiting, counted := 0, false
	for _, each := range s.Listeners {
		if each.Waiting != nil {
			waiting, counted = waiting+*each.Waiting, true
		}
	}
	if counted {
		l.write(plain, "  %d to be accepted", waiting)
	}
	return l
}

func resources(v *View) (l line) {
	l.write(bold, "Memory   ")
	l.write(plain, "%s  ", memory(v.Memory))
	l.write(bold, "CPU ")
	l.write(plain, "%s%%", known(v.CPU, percent))
	if p := v.Status.Pressure; p != nil {
		l.write(bold, "  Pressure ")
		l.write(plain, "cpu %s%%  memory %s%%  io %s%%", percent(p.CPU), percent(p.Memory), percent(p.IO))
	}
	return l
}

func reload(r *control.Reload) (l line) {
	l.write(bold, "Reload   ")
	when := r.Asked.Local().Format("15:04:05")
	switch r.State {
	case control.Done:
		l.write(plain, "%d of %s done in %s", r.ID, when, interval(r.Seconds))
	case control.Failed:
		l.write(red, "%d of %s failed: %s", r.ID, when, r.Reason)
	default:
		l.write(cyan, "%d runs for %s: %s", r.ID, interval(r.Seconds), r.Progress)
	}
	return l
}

// columns is the form of a worker's line: 80 columns of a terminal.
const columns = "%4s %4s %7s %-8s %7s %7s %9s %6s %6s %6s %6s"

// heading names the columns, that of the order in another style.
func heading(o order) (l line) {
	text := fmt.Sprintf(columns, "SLOT", "GEN", "PID", "PHASE", "BUSY", "REQUEST", "ANSWERED", "REQ/S", "CPU%", "PSS", "USS")
	word := map[order]string{bySlot: "SLOT", byRequest: "REQUEST", byAnswered: "ANSWERED", byRate: "REQ/S", byCPU: "CPU%", byMemory: "PSS"}[o]
	before, after, _ := strings.Cut(text, word)
	l.write(faint, "%s", before)
	l.write(bold, "%s", word)
	l.write(faint, "%s", after)
	return l
}

// worker is a row of the table.
func worker(r *Row) (l line) {
	request := "-"
	if r.Oldest > 0 {
		request = interval(r.Oldest)
	}
	phase, look := r.Phase, plain
	switch r.Phase {
	case "busy":
		look = green
	case "starting":
		look = cyan
	case "draining", "killed":
		look = red
	}
	if r.Leaves {
		phase, look = "leaving", yellow
	}
	busy, answered, each := "-", "-", "-"
	if r.Seats > 0 { // else it is a program
		busy, answered, each = fmt.Sprintf("%d/%d", r.Busy, r.Seats), fmt.Sprint(r.Answered), known(r.Rate, rate)
	}
	l.write(look, columns, fmt.Sprint(r.Slot), fmt.Sprint(r.Generation), fmt.Sprint(r.PID), phase, busy,
		request, answered, each, known(r.CPU, percent), memory(r.Memory), memory(r.Own))
	if q := r.Request; q != nil && q.Method != "" && r.Oldest >= worthNaming {
		l.write(plain, "  %s %s", clean(q.Method), clean(q.Path)) // the client chose both
	}
	return l
}

// worthNaming is how long a worker must have had a request for it to be named, in seconds: those
// that come and go would only flicker.
const worthNaming = 0.1

// Print is a view as text, each line ended by a line feed: for --once.
func Print(v View, colours bool) string {
	bySlot.sort(v.Workers, false)
	var b strings.Builder
	lines := append(header(&v), line{}, heading(bySlot))
	for i := range v.Workers {
		lines = append(lines, worker(&v.Workers[i]))
	}
	for _, each := range lines {
		each.render(&b, 0, colours)
		b.WriteByte('\n')
	}
	return b.String()
}

// stale says that a service is away.
func stale(reason error, since time.Time) (l line) {
	l.write(red, "no answer since %s: %v", since.Format("15:04:05"), reason)
	return l
}

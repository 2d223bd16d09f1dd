package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/control"
)

func statusCommand(a *asked, c *cobra.Command) {
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client(first(args))
		if err != nil {
			return err
		}
		var s serviceStatus
		if err := client.Get(c.Context(), "status", &s.Status); err != nil {
			return err
		}
		s.Unit = findUnit(c.Context(), s.PID)
		return a.show(s, func() string { return a.statusText(s) })
	}
}

// serviceStatus is the status of a service and of its unit.
type serviceStatus struct {
	control.Status
	Unit *unitFacts `json:"unit,omitempty"`
}

// statusText is for a person, in the manner of systemctl status.
func (a *asked) statusText(s serviceStatus) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%11s: %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s %s (indrik %s)\n", a.dot(s.Status), s.Name, s.Version)
	line("State", "%s", s.Text)
	line("Since", "%s; %s ago", s.Since.Local().Format("Mon 2006-01-02 15:04:05 MST"), roughly(time.Since(s.Since)))
	if s.Unit != nil {
		line("Unit", "%s", s.Unit)
	}
	line("Master", "pid %d, %s, cpu %s", s.PID, megabytes(s.Master.Memory), seconds(s.Master.CPU))
	if s.Program != nil {
		line("Program", "%s", strings.Join(quoted(s.Program), " "))
	} else {
		s.gatewayText(line)
	}
	for _, l := range s.Listeners {
		waiting := ""
		if l.Waiting != nil {
			waiting = fmt.Sprintf(", %d wait to be accepted", *l.Waiting)
		}
		line("Listening", "%s %s (%s)%s", l.Network, l.Address, l.From, waiting)
	}
	if p := s.Pressure; p != nil {
		line("Pressure", "cpu %.1f%%, memory %.1f%%, io %.1f%% of the last 10 s", p.CPU, p.Memory, p.IO)
	}
	if r := s.Reload; r != nil {
		line("Reload", "%s", reloadText(*r))
	}
	if k := s.Kept; k != nil {
		state := "parked"
		if k.Frozen {
			state = "frozen"
		}
		line("Kept", "generation %d for %s: %d workers, %s, %s", k.Generation, seconds(k.Left), k.Workers, megabytes(k.Memory), state)
	}
	line("Workers", "%d wanted, generation %d", s.Wanted, s.Generation)
	b.WriteString("\n" + workerTable(s.Workers))
	if len(s.Deaths) > 0 {
		b.WriteString("\nLast deaths:\n" + eventTable(s.Deaths))
	}
	return b.String()
}

// gatewayText is about what stands between workers of Python and their clients.
func (s *serviceStatus) gatewayText(line func(name, format string, args ...any)) {
	line("Mold", "pid %d, %s", s.Mold.PID, megabytes(s.Mold.Memory))
	g := s.Gateway
	queue := strconv.FormatUint(g.Queued, 10)
	if g.Oldest > 0 {
		queue += " (for " + seconds(g.Oldest) + ")"
	}
	line("Gateway", "pid %d, %s, cpu %s", g.PID, megabytes(g.Memory), seconds(g.CPU))
	line("Requests", "%s wait, %d with workers, %d answered since the start, %d of them with 5xx", queue, g.Dispatched, s.Totals.Answered, s.Totals.Failed)
	line("Clients", "%d connected, %d since the gateway began", g.Connections, g.Accepted)
}

// quoted are words as a person would read them: those that need it in quotation marks.
func quoted(words []string) []string {
	words = slices.Clone(words)
	for i, word := range words {
		words[i] = quotedWord(word)
	}
	return words
}

func quotedWord(word string) string {
	if q := strconv.Quote(word); word == "" || strings.Contains(word, " ") || q != `"`+word+`"` {
		return q
	}
	return word
}

// dot is green where all is well and the terminal has colours.
func (a *asked) dot(s control.Status) string {
	if !a.colours(a.stdout) {
		return "●"
	}
	colour := "32" // green
	if s.Stage != "serving" || s.Reload != nil && s.Reload.State == control.Failed {
		colour = "33" // yellow
	}
	return "\x1b[" + colour + "m●\x1b[0m"
}

func reloadText(r control.Reload) string {
	when := r.Asked.Local().Format("15:04:05")
	switch r.State {
	case control.Done:
		return fmt.Sprintf("%d of %s done in %s", r.ID, when, seconds(r.Seconds))
	case control.Failed:
		return fmt.Sprintf("%d of %s failed: %s", r.ID, when, r.Reason)
	}
	if r.State == control.Queued {
		return fmt.Sprintf("%d waits for its turn", r.ID)
	}
	return fmt.Sprintf("%d runs for %s: %s", r.ID, seconds(r.Seconds), strings.TrimPrefix(r.Progress, verb(r)+": "))
}

// table aligns rows of cells, the first of which is the heading.
func table(rows ...[]string) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t")) // into memory
	}
	_ = w.Flush()
	return b.String()
}

// A column of a table of workers: what is over it, and what is in it.
type column struct {
	head string
	cell func(control.Worker) string
}

// workerTable has the columns of which anything is known.
func workerTable(all []control.Worker) string {
	if len(all) == 0 {
		return "No worker is there.\n"
	}
	columns := []column{
		{"SLOT", func(w control.Worker) string { return strconv.Itoa(w.Slot) }},
		{"GEN", func(w control.Worker) string { return strconv.Itoa(w.Generation) }},
		{"PID", func(w control.Worker) string { return strconv.Itoa(w.PID) }},
		{"PHASE", func(w control.Worker) string { return w.Phase }},
		{"FOR", func(w control.Worker) string { return seconds(w.For) }},
	}
	if slices.ContainsFunc(all, func(w control.Worker) bool { return w.Seats > 0 }) {
		columns = append(columns,
			column{"BUSY", func(w control.Worker) string { return fmt.Sprintf("%d/%d", w.Busy, w.Seats) }},
			column{"REQUEST", func(w control.Worker) string { return orDash(w.Oldest > 0, seconds(w.Oldest)) }},
			column{"ANSWERED", func(w control.Worker) string { return strconv.FormatUint(w.Answered, 10) }})
	}
	columns = append(columns,
		column{"RESTARTS", func(w control.Worker) string { return strconv.FormatUint(w.Restarts, 10) }},
		column{"CPU", func(w control.Worker) string { return seconds(w.CPU) }},
		column{"MEMORY", func(w control.Worker) string { return megabytes(w.Memory) }},
		column{"OWN", func(w control.Worker) string { return megabytes(w.Own) }})
	if slices.ContainsFunc(all, func(w control.Worker) bool { return w.Group != nil }) {
		for i, head := range []string{"GROUP CPU", "GROUP MEMORY", "PRESSURE"} {
			columns = append(columns, column{head, func(w control.Worker) string { return groupCells(w.Group)[i] }})
		}
	}
	if slices.ContainsFunc(all, func(w control.Worker) bool { return w.Status != "" }) {
		columns = append(columns, column{"SAYS", func(w control.Worker) string { return orDash(w.Status != "", w.Status) }})
	}
	if slices.ContainsFunc(all, func(w control.Worker) bool { return w.Request != nil && w.Request.Method != "" }) {
		columns = append(columns, column{"WORKS ON", func(w control.Worker) string { return requestText(w.Request) }})
	}
	rows := make([][]string, 1+len(all))
	for _, c := range columns {
		rows[0] = append(rows[0], c.head)
		for i, w := range all {
			rows[i+1] = append(rows[i+1], c.cell(w))
		}
	}
	return table(rows...)
}

// orDash is a text if it is known.
func orDash(known bool, text string) string {
	if !known {
		return "-"
	}
	return text
}

// groupCells are what a control group is shown by: what counts the children too.
func groupCells(g *control.Group) []string {
	if g == nil {
		return []string{"-", "-", "-"}
	}
	pressure := "-"
	if p := g.Pressure; p != nil {
		pressure = fmt.Sprintf("%.1f%%", max(p.CPU, p.Memory, p.IO))
	}
	return []string{seconds(g.CPU), megabytes(g.Memory), pressure}
}

func eventTable(all []control.Event) string {
	rows := [][]string{{"TIME", "EVENT", "GEN", "SLOT", "PID", "REASON"}}
	for _, e := range all {
		slot, pid := "-", "-"
		if e.Slot != nil {
			slot = strconv.Itoa(*e.Slot)
		}
		if e.PID != 0 {
			pid = strconv.Itoa(e.PID)
		}
		reason := strings.TrimPrefix(strings.TrimSuffix(e.Reason+": "+e.Detail, ": "), ": ")
		rows = append(rows, []string{e.Time.Local().Format("2006-01-02 15:04:05"), e.What, strconv.Itoa(e.Generation), slot, pid, reason})
	}
	return table(rows...)
}

func stackText(all []control.Stacks) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "=== slot %d, generation %d, pid %d, %s\n", s.Slot, s.Generation, s.PID, s.Phase)
		if s.Error != "" {
			b.WriteString("no stacks: " + s.Error + "\n")
		}
		b.WriteString(s.Text + "\n")
	}
	return b.String()
}

// seconds is a length of time with as many digits as matter.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return roughly(d)
}

func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%dmin", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %dmin", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// megabytes is a size; "-" if it is not known.
func megabytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fM", float64(n)/(1<<20))
}

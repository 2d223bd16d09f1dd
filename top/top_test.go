package top

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/control"
)

// shop is a service as it is after so many seconds: its gateway answers 100 requests in
// each, one of them with a fault, worker 0 answers 60, and uses half a processor.
func shop(second int, began time.Time) control.Status {
	at := began.Add(time.Duration(second) * time.Second)
	n := uint64(second)
	busy := func(slot int, per uint64, cpu float64) control.Worker {
		return control.Worker{
			Process: control.Process{PID: 100 + slot, CPU: cpu * float64(second), Memory: 50 << 20, Own: 10 << 20, At: at},
			Slot:    slot, Generation: 1, Phase: "busy", Seats: 1, Busy: 1, Oldest: 0.25, Answered: per * n,
		}
	}
	return control.Status{
		Name: "shop", Version: "1", PID: 1, Stage: "serving", Text: "serving: 2 workers, generation 1", Since: began, Generation: 1, Wanted: 2,
		Gateway: control.Gateway{Process: control.Process{PID: 2, CPU: 0.25 * float64(second), Memory: 20 << 20, At: at}, Queued: 3, Oldest: 1.5},
		Totals: control.Totals{
			Answered: 100 * n, Failed: n, Received: 1 << 10 * n, Sent: 1 << 20 * n,
			Latency: control.Histogram{Bounds: []float64{0.01, 0.1}, Counts: []uint64{90 * n, 10 * n, 0}},
		},
		Workers: []control.Worker{busy(1, 40, 0.1), busy(0, 60, 0.5)},
	}
}

func began() time.Time { return time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC) }

func near(got *float64, want float64) bool {
	return got != nil && *got > want-1e-6 && *got < want+1e-6
}

func TestRatesAreMadeOfTwoLooks(t *testing.T) {
	var p past
	v := p.look(began().Add(10*time.Second), shop(10, began()))
	if v.Answered != nil || v.CPU != nil || v.Half != nil || v.Workers[0].Rate != nil {
		t.Errorf("the first look knows rates: %+v", v)
	}
	v = p.look(began().Add(12*time.Second), shop(12, began()))
	for name, c := range map[string]struct {
		got  *float64
		want float64
	}{
		"answered": {v.Answered, 100}, "failed": {v.Failed, 1}, "received": {v.Received, 1 << 10}, "sent": {v.Sent, 1 << 20},
		"half": {v.Half, 0.01 * 50 / 90}, "most": {v.Most, 0.01 + 0.09*0.9}, "cpu": {v.CPU, 85},
		"worker 0's rate": {v.Workers[1].Rate, 60}, "worker 0's cpu": {v.Workers[1].CPU, 50}, "worker 1's cpu": {v.Workers[0].CPU, 10},
	} {
		if !near(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, known(c.got, percent), c.want)
		}
	}
	if v.Memory != 120<<20 {
		t.Errorf("memory: got %d", v.Memory)
	}
}

// The kernel is asked for processor times at most once a second. A look in between must
// not show a process as idle, nor the next as twice as busy.
func TestAShareLastsUntilTheKernelIsAskedAnew(t *testing.T) {
	var p past
	for i := range 5 {
		s := shop(i/2, began()) // every second look has the figures of the one before
		v := p.look(began().Add(time.Duration(i)*time.Second/2), s)
		if i >= 2 && !near(v.Workers[1].CPU, 50) {
			t.Errorf("look %d: %s %%, want 50", i, known(v.Workers[1].CPU, percent))
		}
	}
	s := shop(3, began())
	s.Workers[1].Group = &control.Group{CPU: 9.5} // it did not have one before: its own time was 1 s
	if v := p.look(began().Add(3*time.Second), s); !near(v.Workers[1].CPU, 850) {
		t.Errorf("with its children: %s %%", known(v.Workers[1].CPU, percent))
	}
}

// A service that began anew has counted less than the one before it.
func TestRatesNeverGoBack(t *testing.T) {
	var p past
	p.look(began(), shop(100, began()))
	if v := p.look(began().Add(time.Second), shop(1, began())); !near(v.Answered, 0) || !near(v.Workers[0].Rate, 0) {
		t.Errorf("answered %v", *v.Answered)
	}
}

func TestOrders(t *testing.T) {
	var p past
	p.look(began(), shop(0, began()))
	v := p.look(began().Add(time.Second), shop(1, began()))
	v.Workers = append(v.Workers, Row{Worker: control.Worker{Slot: 2, Generation: 1, Oldest: 9, Process: control.Process{Memory: 1 << 30}}})
	for o, want := range map[order][]int{
		bySlot: {0, 1, 2}, byRequest: {2, 0, 1}, byAnswered: {0, 1, 2}, byRate: {0, 1, 2}, byCPU: {0, 1, 2}, byMemory: {2, 0, 1},
	} {
		for _, reverse := range []bool{false, true} {
			rows := slices.Clone(v.Workers)
			bySlot.sort(rows, false)
			o.sort(rows, reverse)
			var got []int
			for _, r := range rows {
				got = append(got, r.Slot)
			}
			if first := want[0]; !reverse && !slices.Equal(got, want) || reverse && got[2] != first {
				t.Errorf("by %v, reverse %v: got %v, want %v", o, reverse, got, want)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	for text, want := range map[string][]key{
		"q": {'q'}, "\x03": {keyInterrupt}, "\x1a": {keySuspend}, "\r": {keyEnter}, "\x1b": {keyEscape},
		"\x1b[A": {keyUp}, "\x1bOB": {keyDown}, "\x1b[5~\x1b[6~": {keyPageUp, keyPageDown}, "\x1b[1~": {keyHome}, "\x1b[F": {keyEnd},
		"jj\x1b[Aq": {'j', 'j', keyUp, 'q'}, "\x1b\x1b[B": {keyEscape, keyDown},
		"\x1b[1;5A": {keyUnknown}, "\x1b[": {keyUnknown}, "\x1b[200~q": {keyUnknown, 'q'}, "é": {'é'}, "\xff": {'\uFFFD'},
	} {
		if got := parse([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// picture is what a board shows on a terminal of this size.
func picture(b *board, width, height int) string {
	var text strings.Builder
	for _, each := range b.compose(height) {
		each.render(&text, width, false)
		text.WriteByte('\n')
	}
	return text.String()
}

func boardOf(s control.Status) *board {
	b := &board{}
	b.past.look(began(), shop(0, began()))
	b.view = b.past.look(began().Add(time.Second), s)
	return b
}

// Whatever the size of the terminal and the number of workers: the picture fits, the
// chosen worker is in it, and so are the keys.
func TestThePictureFits(t *testing.T) {
	s := shop(1, began())
	for slot := 2; slot < 64; slot++ {
		s.Workers = append(s.Workers, control.Worker{Process: control.Process{PID: 4194300 + slot}, Slot: slot, Generation: 1, Phase: "idle", Seats: 1, Answered: 999_999_999})
	}
	s.Reload = &control.Reload{ID: 3, State: control.Failed, Reason: strings.Repeat("a long reason ", 20), Asked: began()}
	b := boardOf(s)
	b.lost = errors.New("connect to /run/indrik/shop/control: connection refused")
	for _, size := range [][2]int{{80, 24}, {132, 50}, {40, 12}, {20, 8}, {80, 4}, {10, 1}} {
		for _, k := range []key{keyHome, keyDown, keyPageDown, keyEnd, keyUp, keyPageUp} {
			b.pressed(t.Context(), k)
			text := picture(b, size[0], size[1])
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if len(lines) != size[1] {
				t.Fatalf("%v: %d lines", size, len(lines))
			}
			for _, each := range lines {
				if n := len([]rune(plainText(each))); n > size[0] {
					t.Errorf("%v: a line has %d columns: %q", size, n, each)
				}
			}
			if chosen, _ := b.chosen(); size[1] >= 12 && size[0] >= 40 && !strings.Contains(text, "\x1b[7m"+strings.Repeat(" ", 4-len(itoa(chosen.Slot)))+itoa(chosen.Slot)+" ") {
				t.Errorf("%v: worker %d is chosen and not shown:\n%s", size, chosen.Slot, text)
			}
			if !strings.Contains(lines[len(lines)-1], " q quit") {
				t.Errorf("%v: the last line is %q", size, lines[len(lines)-1])
			}
		}
	}
}

func itoa(n int) string { return strings.TrimSpace(size(float64(n))) }

// plainText is a line without its styles.
func plainText(text string) string {
	var b strings.Builder
	for text != "" {
		if rest, found := strings.CutPrefix(text, "\x1b["); found {
			_, text, _ = strings.Cut(rest, "m")
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// Names, reasons and stacks come from applications and their clients. None of it may
// steer the terminal of whoever looks.
func TestForeignTextSteersNoTerminal(t *testing.T) {
	const evil = "x\x1b]0;owned\x07\x1b[2J\u009b31m\r\n\u202e"
	s := shop(1, began())
	s.Name, s.Text = evil, evil
	s.Workers[0].Phase = evil
	s.Reload = &control.Reload{ID: 1, State: control.Failed, Reason: evil}
	b := boardOf(s)
	b.lost = errors.New(evil)
	b.say(red, "%s", evil)
	shown := picture(b, 0, 24) + Print(b.view, true)
	b.page = &page{title: evil}
	b.page.show([]control.Stacks{{Text: "File\t" + evil, Error: evil}}, nil)
	shown += picture(b, 0, 24)
	for _, bad := range []string{"\x07", "\x1b]", "\x1b[2J", "\u009b", "\r", "\u202e", "\t"} {
		if strings.Contains(shown, bad) {
			t.Errorf("%q reaches the terminal", bad)
		}
	}
	if !strings.Contains(shown, "owned") {
		t.Error("the text itself is not shown")
	}
}

// A worker stays chosen when the order changes, and when it moves in it.
func TestTheChosenWorkerStaysChosen(t *testing.T) {
	b := boardOf(shop(1, began()))
	picture(b, 80, 24)
	b.pressed(t.Context(), 'j')
	for range orders {
		b.pressed(t.Context(), 's')
		picture(b, 80, 24)
		if r, found := b.chosen(); !found || r.Slot != 1 {
			t.Errorf("by %v slot %d is chosen, want 1", b.order, r.Slot)
		}
	}
	b.view.Workers = nil // all have gone
	picture(b, 80, 24)
	if _, found := b.chosen(); found {
		t.Error("a worker is chosen where there is none")
	}
	if b.pressed(t.Context(), keyEnter); b.page != nil {
		t.Error("there are stacks of no worker")
	}
}

// Once it is over, what is typed is the shell's.
func TestReadingEnds(t *testing.T) {
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	ctx, cancel := context.WithCancel(t.Context())
	keys := make(chan key)
	go read(ctx, in, keys)
	if _, err := typed.WriteString("s"); err != nil {
		t.Fatal(err)
	}
	if k := <-keys; k != 's' {
		t.Errorf("got %v", k)
	}
	cancel()
	if k, more := <-keys; more {
		t.Errorf("got %v after the end", k)
	}
	if _, err := typed.WriteString("rm"); err != nil {
		t.Fatal(err)
	}
	_ = typed.Close()
	keys = make(chan key, 4)
	read(t.Context(), in, keys)
	if a, b := <-keys, <-keys; a != 'r' || b != 'm' {
		t.Errorf("the shell reads %v %v", a, b)
	}
	if _, more := <-keys; more {
		t.Error("a terminal that is gone sends keys")
	}
}

// Of programs nobody sees the requests, and none is shown as if there were none.
func TestProgramsHaveNoRequests(t *testing.T) {
	var p past
	s := control.Status{
		Name: "shop", Stage: "serving", Since: began(), Generation: 1, Wanted: 1, Program: []string{"./server"},
		Workers: []control.Worker{{Process: control.Process{PID: 101, Memory: 50 << 20}, Generation: 1, Phase: "idle"}},
	}
	p.look(began().Add(time.Second), s)
	got := Print(p.look(began().Add(2*time.Second), s), false)
	for _, odd := range []string{"Requests", "Queue", "0/0", "0/s"} {
		if strings.Contains(got, odd) {
			t.Errorf("%q in\n%s", odd, got)
		}
	}
	if !strings.Contains(got, "101") {
		t.Errorf("no worker in\n%s", got)
	}
}

// A row names what its worker has been busy with for a while; what the client chose of it
// gives the terminal no orders.
func TestARowNamesItsRequest(t *testing.T) {
	row := Row{Worker: control.Worker{Phase: "busy", Seats: 1, Busy: 1, Request: &control.Request{Method: "GET", Path: "/a\x1b[2Jb"}}}
	for oldest, want := range map[float64]bool{0.01: false, 3: true} {
		row.Oldest = oldest
		var b strings.Builder
		l := worker(&row)
		l.render(&b, 0, false)
		if got := strings.HasSuffix(b.String(), "  GET /a·[2Jb"); got != want || strings.Contains(b.String(), "\x1b") {
			t.Errorf("after %v s: %q", oldest, b.String())
		}
	}
}

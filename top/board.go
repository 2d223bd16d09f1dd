package top

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/indrik/indrik/control"
)

// sayFor is how long the outcome of an order stays on the screen.
const sayFor = 8 * time.Second

// board is what is on the screen. The goroutine of [Run] owns it.
type board struct {
	Config
	terminal terminal
	past     past
	view     View
	lost     error // of the last look; nil if it was answered
	answers  chan answer
	looking  bool
	ordering bool
	away     bool // somebody else has the terminal

	order   order
	reverse bool
	place   int       // of the chosen row
	choice  identity  // that is in it
	first   int       // row that is shown
	said    piece     // outcome of an order
	saidAt  time.Time // then
	page    *page     // that is shown instead of the table
	rows    int       // of the table, or of the page, that fit
}

// identity names a worker across two looks.
type identity struct{ generation, slot int }

// say shows the outcome of an order for a while.
func (t *board) say(s style, format string, args ...any) {
	t.said, t.saidAt = piece{clean(fmt.Sprintf(format, args...)), s}, time.Now()
}

// resume takes the terminal back from whoever had it.
func (t *board) resume() {
	if !t.away {
		return
	}
	t.away = false
	if err := t.terminal.enter(); err != nil {
		t.lost = err
	}
}

// suspend gives the terminal back and stops this process and its job, as Ctrl-Z does.
// SIGCONT, or a key if nobody stopped us, brings us back.
func (t *board) suspend() {
	t.terminal.leave()
	t.away = true
	_ = syscall.Kill(0, syscall.SIGTSTP) // our own group: nothing to be refused
}

// pressed does what a key is for; true if that is to end.
func (t *board) pressed(ctx context.Context, k key) bool {
	switch k {
	case keyInterrupt:
		return true
	case keySuspend:
		t.suspend()
		return false
	}
	if t.page != nil {
		t.turn(ctx, k)
		return false
	}
	switch k {
	case 'q', 'Q':
		return true
	case ' ':
		t.look(ctx)
	case 's':
		t.order, t.reverse = (t.order+1)%orders, false
	case 'S':
		t.reverse = !t.reverse
	case '+', '=':
		t.scale(ctx, 1)
	case '-', '_':
		t.scale(ctx, -1)
	case 'r', 'R':
		command(ctx, t, "reload", struct{}{}, func(r control.Reload) string { return fmt.Sprintf("reload %d %s", r.ID, r.State) })
	case keyEnter, 't':
		t.askStacks(ctx)
	default:
		t.move(k)
	}
	return false
}

func (t *board) scale(ctx context.Context, by int) {
	wish := map[string]control.Amount{"workers": {Relative: true, N: by}}
	command(ctx, t, "scale", wish, func(s control.Scaled) string { return fmt.Sprintf("workers: %d, before %d", s.To, s.From) })
}

// move chooses another row.
func (t *board) move(k key) {
	switch k {
	case keyUp, 'k':
		t.place--
	case keyDown, 'j':
		t.place++
	case keyPageUp:
		t.place -= t.rows
	case keyPageDown:
		t.place += t.rows
	case keyHome, 'g':
		t.place = 0
	case keyEnd, 'G':
		t.place = len(t.view.Workers) - 1
	default:
		return
	}
	t.place = max(min(t.place, len(t.view.Workers)-1), 0)
	if len(t.view.Workers) > 0 {
		w := t.view.Workers[t.place]
		t.choice = identity{w.Generation, w.Slot}
	}
}

// arrange sorts the rows, finds the chosen one again and sees that it can be seen.
func (t *board) arrange() {
	rows := t.view.Workers
	t.order.sort(rows, t.reverse)
	if i := slices.IndexFunc(rows, func(r Row) bool { return identity{r.Generation, r.Slot} == t.choice }); i >= 0 {
		t.place = i
	}
	t.place = max(min(t.place, len(rows)-1), 0)
	if len(rows) > 0 {
		t.choice = identity{rows[t.place].Generation, rows[t.place].Slot}
	}
	t.first = max(min(t.first, t.place, len(rows)-t.rows), t.place-t.rows+1, 0)
}

// chosen is the row that is chosen, if there is one.
func (t *board) chosen() (Row, bool) {
	if t.place >= len(t.view.Workers) {
		return Row{}, false
	}
	return t.view.Workers[t.place], true
}

// draw writes the whole picture at once.
func (t *board) draw() error {
	if t.away {
		return nil
	}
	width, height := t.terminal.size()
	lines := t.compose(height)
	var b strings.Builder
	b.WriteString(beginUpdate)
	for i, each := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		each.render(&b, width, t.Colours)
		b.WriteString(restOfLine)
	}
	b.WriteString(endUpdate)
	if _, err := t.terminal.out.WriteString(b.String()); err != nil {
		return fmt.Errorf("write to the terminal: %w", err)
	}
	return nil
}

// compose makes exactly as many lines as there is room for.
func (t *board) compose(height int) []line {
	lines := header(&t.view)
	if t.lost != nil {
		lines = append(lines, stale(t.lost, t.view.At))
	}
	lines = append(lines, t.notice())
	if t.page != nil {
		t.rows = max(height-len(lines)-2, 1)
		lines = append(lines, t.page.lay(t.rows)...)
	} else {
		t.rows = max(height-len(lines)-2, 1)
		t.arrange()
		lines = append(lines, t.table()...)
	}
	for len(lines) < height-1 {
		lines = append(lines, nil)
	}
	return append(lines[:max(height-1, 0)], t.foot())
}

// notice is what came of the last order.
func (t *board) notice() (l line) {
	if time.Since(t.saidAt) < sayFor {
		l = append(l, t.said)
	}
	return l
}

func (t *board) table() []line {
	lines := []line{heading(t.order)}
	last := min(t.first+t.rows, len(t.view.Workers))
	for i := t.first; i < last; i++ {
		row := worker(&t.view.Workers[i])
		if i == t.place {
			for n := range row {
				row[n].style = reverse
			}
		}
		lines = append(lines, row)
	}
	return lines
}

// foot says which keys there are.
func (t *board) foot() (l line) {
	if t.page != nil {
		l.write(reverse, " q back  t ask again  ↑↓ scroll  %s", t.page.where(t.rows))
		return l
	}
	l.write(reverse, " q quit  ↑↓ choose  enter stacks  s sort: %s  + - scale  r reload ", t.order)
	if hidden := len(t.view.Workers) - t.rows; hidden > 0 {
		l.write(reverse, " %d of %d", t.place+1, len(t.view.Workers))
	}
	return l
}

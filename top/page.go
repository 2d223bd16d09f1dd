package top

import (
	"context"
	"fmt"
	"strings"

	"github.com/indrik/indrik/control"
)

// tabStop is how many columns a tab of a text takes at most.
const tabStop = 4

// page is a text that can be scrolled.
type page struct {
	title string
	lines []string
	first int
}

// show makes the stacks of a slot its text.
func (p *page) show(all []control.Stacks, err error) {
	p.lines, p.first = nil, 0
	if err != nil {
		p.lines = []string{"no stacks: " + err.Error()}
	}
	for _, s := range all {
		if len(all) > 1 {
			p.lines = append(p.lines, fmt.Sprintf("generation %d, pid %d", s.Generation, s.PID))
		}
		if s.Error != "" {
			p.lines = append(p.lines, "no stacks: "+s.Error)
		}
		text := strings.ReplaceAll(strings.TrimRight(s.Text, "\n"), "\t", strings.Repeat(" ", tabStop))
		p.lines = append(p.lines, strings.Split(text, "\n")...)
	}
}

// turn does what a key is for while a page is shown.
func (t *board) turn(ctx context.Context, k key) {
	p := t.page
	switch k {
	case 'q', 'Q', keyEscape, keyEnter:
		t.page = nil
		return
	case 't', ' ':
		t.askStacks(ctx)
		return
	case keyUp, 'k':
		p.first--
	case keyDown, 'j':
		p.first++
	case keyPageUp:
		p.first -= t.rows
	case keyPageDown:
		p.first += t.rows
	case keyHome, 'g':
		p.first = 0
	case keyEnd, 'G':
		p.first = len(p.lines)
	}
	p.first = max(min(p.first, len(p.lines)-t.rows), 0)
}

// lay is the part of the page that fits so many rows, below its title.
func (p *page) lay(rows int) []line {
	p.first = max(min(p.first, len(p.lines)-rows), 0)
	title := line{}
	title.write(bold, "Stacks of %s", p.title)
	lines := []line{title}
	for _, text := range p.lines[p.first:min(p.first+rows, len(p.lines))] {
		each := line{}
		each.write(plain, "%s", text)
		lines = append(lines, each)
	}
	return lines
}

// where says which part of the page is shown.
func (p *page) where(rows int) string {
	return fmt.Sprintf("lines %d to %d of %d ", min(p.first+1, len(p.lines)), min(p.first+rows, len(p.lines)), len(p.lines))
}

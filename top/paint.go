package top

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// style is how a piece of a line looks.
type style string

// The styles are the parameters of an SGR sequence (ECMA-48, 8.3.117).
const (
	plain   style = ""
	bold    style = "1"
	faint   style = "2"
	reverse style = "7"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	cyan    style = "36"
)

// piece is a text in one style.
type piece struct {
	text  string
	style style
}

// line is what stands on one line of the screen.
type line []piece

// write appends a piece; what its text is made of may be foreign.
func (l *line) write(s style, format string, args ...any) {
	*l = append(*l, piece{clean(fmt.Sprintf(format, args...)), s})
}

// render writes a line in at most width columns, 0 for any number. Each character
// counts as one column: where one takes two the terminal cuts the rest off.
func (l line) render(b *strings.Builder, width int, colours bool) {
	left := width
	for _, p := range l {
		text := []rune(p.text)
		if width > 0 {
			text = text[:min(len(text), left)]
			left -= len(text)
		}
		if len(text) == 0 {
			continue
		}
		if colours && p.style != plain || p.style == reverse && width > 0 {
			fmt.Fprintf(b, "\x1b[%sm%s\x1b[0m", p.style, string(text))
		} else {
			b.WriteString(string(text))
		}
	}
}

// clean makes foreign text harmless: what does not print, and could be an order to the
// terminal, becomes a dot.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
}

// interval is a length of time in seconds, in few characters.
func interval(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", s*1e3)
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", s)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// known formats a number that may not be known.
func known(f *float64, format func(float64) string) string {
	if f == nil {
		return "-"
	}
	return format(*f)
}

// rate is a number of something per second.
func rate(f float64) string {
	switch {
	case f < 10:
		return fmt.Sprintf("%.1f", f)
	case f < 1e5:
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.0fk", f/1e3)
}

func percent(f float64) string { return fmt.Sprintf("%.1f", f) }

// size is a number of bytes.
func size(n float64) string {
	for _, unit := range []string{"", "K", "M", "G"} {
		if n < 1000 {
			if unit == "" || n >= 100 {
				return fmt.Sprintf("%.0f%s", n, unit)
			}
			return fmt.Sprintf("%.1f%s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1fT", n)
}

// memory is a size that is 0 where nobody could find it out.
func memory(n int64) string {
	if n == 0 {
		return "-"
	}
	return size(float64(n))
}

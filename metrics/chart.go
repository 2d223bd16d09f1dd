package metrics

import (
	"fmt"
	"slices"
	"strings"
)

const (
	chartWidth  = 300.0 // units of the drawing; the page scales it
	chartHeight = 72.0
)

// chart is one drawing with its number.
type chart struct {
	Title string
	Value string // now
	Note  string // beside it
	Top   string // what the upper edge means
	Lines []curve
}

// curve is a line of a chart; its class in the style says the colour.
type curve struct {
	Class string
	Path  string // for an SVG path
	Area  string // below it; "" if it is not filled
}

// charts draws the history of f; of programs there is none.
func charts(f *Facts) []chart {
	if len(f.Program) > 0 {
		return nil
	}
	s := f.History
	answered, failed := rates(s)
	half, most := quantiles(s, f.Counts.Latency.Bounds, 0.5), quantiles(s, f.Counts.Latency.Bounds, 0.95)
	queued, busy := tops(s)
	rate := draw("Requests per second", answered, 1, plain)
	rate.Note = plain(float64(f.Counts.Answered(""))) + " since the start"
	if slices.Max(append(failed, 0)) > 0 {
		rate.Lines = append(rate.Lines, line("bad", failed, max(slices.Max(answered), 1), false))
	}
	latency := draw("Latency, 95 of 100 below", most, 0.001, inTime)
	latency.Lines = append(latency.Lines, line("second", half, max(slices.Max(append(most, 0)), 0.001), false))
	latency.Note = "half below " + inTime(last(half))
	queue := draw("Waiting for a worker", queued, 1, plain)
	if queue.Note = "nobody waits"; f.Gateway.Queued > 0 {
		queue.Note = "the first for " + inTime(max(seconds(f.Gateway.Oldest), 0))
	}
	seats := draw("Seats that work", busy, float64(max(f.Seats.All, 1)), plain)
	seats.Note = fmt.Sprintf("of %d", f.Seats.All)
	queue.Value, seats.Value = plain(float64(f.Gateway.Queued)), plain(float64(f.Seats.Busy))
	return []chart{rate, latency, queue, seats}
}

// draw makes a chart of values, of which the last is now. Its upper edge is the
// largest of them, but at least least.
func draw(title string, values []float64, least float64, format func(float64) string) chart {
	top := max(slices.Max(append(values, least)), least)
	return chart{Title: title, Value: format(last(values)), Top: format(top), Lines: []curve{line("first", values, top, true)}}
}

// line draws values from the right edge, where now is.
func line(class string, values []float64, top float64, filled bool) curve {
	if len(values) == 0 {
		return curve{Class: class}
	}
	const step = chartWidth / (historyLen - 2)
	var b strings.Builder
	left := chartWidth - step*float64(len(values)-1)
	for i, v := range values {
		verb := 'L'
		if i == 0 {
			verb = 'M'
		}
		fmt.Fprintf(&b, "%c%.1f %.1f", verb, left+step*float64(i), chartHeight-1-(chartHeight-4)*v/top)
	}
	c := curve{Class: class, Path: b.String()}
	if filled {
		c.Area = fmt.Sprintf("%sV%.0fH%.1fZ", c.Path, chartHeight, left)
	}
	return c
}

func last(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return values[len(values)-1]
}

package metrics

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// formats are what the page's text calls.
func formats() template.FuncMap {
	return template.FuncMap{
		"time":   func(s Seconds) string { return inTime(seconds(s)) },
		"bytes":  inBytes,
		"number": func(n uint64) string { return grouped(strconv.FormatUint(n, 10)) },
		"since":  func(now, then time.Time) string { return inTime(now.Sub(then).Seconds()) },
		"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"ranked": ranked,
		"words":  func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"total": func(c Counts, class string) string {
			return grouped(strconv.FormatUint(c.Answered(class), 10))
		},
	}
}

// plain writes a number with no more digits than it deserves.
func plain(v float64) string {
	if v == float64(int64(v)) || v >= 100 {
		return grouped(strconv.FormatInt(int64(v+0.5), 10))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// grouped puts a thin space between thousands.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u2009" + digits[i:]
	}
	return digits
}

// inTime writes a length of time given in seconds.
func inTime(s float64) string {
	switch d := time.Duration(s * float64(time.Second)); {
	case s < 0:
		return "–"
	case d == 0:
		return "0"
	case d < time.Millisecond:
		return fmt.Sprintf("%.2g ms", s*1000)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", s*1000)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", s)
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", s)
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	default:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
}

// inBytes writes a size.
func inBytes(n any) string {
	v := 0.0
	switch n := n.(type) {
	case int64:
		v = float64(n)
	case uint64:
		v = float64(n)
	}
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < 1024 {
			return fmt.Sprintf("%.3g %s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.4g TiB", v)
}

// counted is a line of a small table.
type counted struct {
	Name  string
	Count uint64
}

// ranked are those that are not 0, the most frequent first.
func ranked(counts map[string]uint64) (all []counted) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] > 0 {
			all = append(all, counted{name, counts[name]})
		}
	}
	slices.SortStableFunc(all, func(a, b counted) int {
		switch {
		case a.Count > b.Count:
			return -1
		case a.Count < b.Count:
			return 1
		}
		return 0
	})
	return all
}

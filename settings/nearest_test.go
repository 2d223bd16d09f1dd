package settings

import "testing"

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"bind", "bind", 0},
		{"", "bind", 4},
		{"bind", "", 4},
		{"bnid", "bind", 1},       // swapped
		{"bid", "bind", 1},        // left out
		{"binnd", "bind", 1},      // put in
		{"bond", "bind", 1},       // exchanged
		{"wrokers", "workers", 1}, // swapped
		{"kitten", "sitting", 3},
		{"ca", "abc", 3}, // 2 only if a letter could be touched twice
	} {
		if got := mistakes(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := mistakes(c.b, c.a); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"bind", "backlog", "workers", "worker-class", "timeout", "graceful-timeout", "keep-alive", "pid", "python", "pythonpath"}
	for typed, want := range map[string]string{
		"wrokers":          "workers",
		"worker":           "workers",
		"keepalive":        "keep-alive",
		"keep_alive":       "keep-alive",
		"timeuot":          "timeout",
		"gracefultimeout":  "graceful-timeout",
		"grace":            "graceful-timeout",
		"pyhton":           "python",
		"python-path":      "pythonpath",
		"pidfile":          "",
		"x":                "",
		"":                 "",
		"certfile":         "",
		"forwarded-allow":  "",
		"worker-clas-name": "worker-class",
	} {
		if got := Nearest(typed, known); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

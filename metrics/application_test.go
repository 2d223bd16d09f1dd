package metrics

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// The application's metrics stand beside ours; a name of ours stays ours, and what is wrong
// with them takes none of ours away.
func TestMetricsOfTheApplication(t *testing.T) {
	for _, c := range []struct {
		name, text string
		err        error
		has, lacks string
		told       string
	}{
		{"good", "# TYPE sold counter\nsold_total 3\nplain 1\n", nil, "sold_total 3", "nothing", "1"},
		{"ours", "# TYPE indrik_ready gauge\nindrik_ready 99\nsold_total 3\n", nil, "sold_total 3", "indrik_ready 99", "1"},
		{"twice the same", "# TYPE sold counter\nsold 3\nsold 4\n", nil, "indrik_ready", "nothing", "1"},
		{"broken", "sold_total 3\nthis is none\n", nil, "sold_total 3", "this is", "0"},
		{"nothing", "", errors.New("it is gone"), "indrik_ready", "gone", "0"},
	} {
		f := busy()
		f.Application = func(context.Context) ([]byte, error) { return []byte(c.text), c.err }
		w := get(t, now(f), "/metrics")
		text := w.Body.String()
		if w.Code != 200 || !strings.Contains(text, c.has) || strings.Contains(text, c.lacks) ||
			!strings.Contains(text, "\nindrik_application_metrics "+c.told+"\n") || strings.Count(text, "\nindrik_ready ") != 1 {
			t.Errorf("%s: %d\n%s", c.name, w.Code, text)
		}
		open := get(t, now(f), "/metrics", "Accept", "application/openmetrics-text; version=1.0.0").Body.String()
		if !strings.HasSuffix(open, "# EOF\n") || !strings.Contains(open, "indrik_ready") {
			t.Errorf("%s, as OpenMetrics:\n%s", c.name, open)
		}
	}
	if text := get(t, now(busy()), "/metrics").Body.String(); strings.Contains(text, "application_metrics") {
		t.Error("an application that counts nothing is told of")
	}
}

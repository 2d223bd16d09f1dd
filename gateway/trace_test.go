package gateway

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/indrik/indrik/dispatch"
)

// A trace passes through as it came, and the log has its id beside that of the
// request; of what is none, or of two, it has nothing.
func TestTracesPassThroughIntoTheLog(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	const parent = "00-" + trace + "-00f067aa0ba902b7-01"
	log := filepath.Join(t.TempDir(), "log")
	g := newRig(t, func(c *Config) { c.AccessLog, c.AccessFormat, c.RequestID = log, "json", true })
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(), fmt.Appendf(nil, "%v|%v", env["HTTP_TRACEPARENT"], env["HTTP_TRACESTATE"])})
	})
	c := g.dial()
	requests := []struct{ fields, told, logged string }{
		{"traceparent: " + parent + "\r\nTraceState: vendor=a, b=\"c\r\n", parent + `|vendor=a, b="c`, trace},
		{"Traceparent: 00-no-id-01\r\n", "00-no-id-01|<nil>", ""},
		{"traceparent: " + parent + "\r\ntraceparent: " + parent + "\r\n", parent + "," + parent + "|<nil>", ""},
		{"", "<nil>|<nil>", ""},
	}
	var ids []string
	for _, request := range requests {
		for _, way := range []string{"", "Transfer-Encoding: chunked\r\n"} { // express, and by a goroutine
			body := ""
			if way != "" {
				body = "0\r\n\r\n"
			}
			c.say("POST / HTTP/1.1\r\nHost: x\r\n" + way + request.fields + "\r\n" + body)
			r, told := c.hear("POST")
			if told != request.told {
				t.Errorf("%q: the application was told %q, want %q", request.fields, told, request.told)
			}
			ids = append(ids, r.Header.Get("X-Request-ID"))
		}
	}
	found := map[string]any{}
	for _, line := range logged(t, log, len(ids)) {
		var entry map[string]any
		check(t, json.Unmarshal([]byte(line), &entry))
		found[entry["request_id"].(string)] = entry["trace_id"]
	}
	for i, id := range ids {
		want := any(requests[i/2].logged)
		if want == "" {
			want = nil
		}
		if got, there := found[id]; !there || got != want {
			t.Errorf("%q: the log has the trace %v of request %s (%v), want %v", requests[i/2].fields, got, id, there, want)
		}
	}
}

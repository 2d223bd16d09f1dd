package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Who has a response's id finds the traceback, and the other way round.
func TestTracebacksHaveTheIDOfTheResponse(t *testing.T) {
	t.Parallel()
	eachClass(t, 1, func(t *testing.T, c class) {
		s := serve(t, launch{app: c.app, args: c.with("--request-id", "--request-id-header", "X-Trace")})
		s.allow("Traceback (most recent")
		for range 2 {
			response, err := s.web.Get(s.url("/raise"))
			if status, _ := s.read(response, err); status != http.StatusInternalServerError {
				t.Errorf("GET /raise: got %d, want 500", status)
			}
			id := response.Header.Get("X-Trace")
			if id == "" {
				t.Fatalf("the response has no id: %v", response.Header)
			}
			s.stderr.await(t, 1, "request 0x", "GET '/raise' id="+id+" failed:")
		}
		s.stop()
		if n := strings.Count(strings.Join(s.stderr.end(t), "\n"), "RuntimeError: as it was asked to"); n != 2 {
			t.Errorf("the traceback of 2 requests is there %d times", n)
		}
	})
}

// Without the setting a client cannot put words into the log.
func TestTracebacksDoNotQuoteIDsOfClients(t *testing.T) {
	t.Parallel()
	for _, app := range []string{"plain", "aplain"} {
		s := serve(t, launch{app: app})
		s.allow("Traceback (most recent")
		c := s.client()
		c.send("GET /raise HTTP/1.1\r\nHost: x\r\nX-Request-ID: made-up\r\n\r\n")
		if a := c.receive("GET"); a.status != 500 {
			t.Errorf("%s: got %d, want 500", app, a.status)
		}
		s.stderr.await(t, 1, "GET '/raise' failed:")
		s.stop()
		if text := fmt.Sprint(s.stderr.end(t)); strings.Contains(text, "made-up") {
			t.Errorf("%s: the log has what the client sent: %s", app, text)
		}
	}
}

package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// echoIDs answers with what the application is told.
func echoIDs(s *seat, id int64, env map[string]any, _ []byte, _ int) {
	s.send(dispatch.Tuple{id, "200 OK", fields("X-Request-ID", "the application's"), fmt.Appendf(nil, "%v|%v", env["HTTP_X_REQUEST_ID"], env["HTTP_X_REQUEST_START"])})
}

func TestRequestIDs(t *testing.T) {
	const given, mad = "X-Request-ID: from-proxy:1\r\n", "X-Request-ID: a b\"<\r\n"
	for _, c := range []struct {
		name            string
		on, trusted     bool
		fields          string
		told, responded string // exactly, or "own" for an id of ours
	}{
		{"off", false, true, given, "from-proxy:1", "the application's"},
		{"none given", true, true, "", "own", "own"},
		{"given by a proxy", true, true, given, "from-proxy:1", "from-proxy:1"},
		{"given twice", true, true, given + "x-request-id: other\r\n", "from-proxy:1", "from-proxy:1"},
		{"given by a stranger", true, false, given, "own", "own"},
		{"mad", true, true, mad, "own", "own"},
		{"long", true, true, "X-Request-ID: " + strings.Repeat("a", 129) + "\r\n", "own", "own"},
		{"longest", true, true, "X-Request-ID: " + strings.Repeat("a", 128) + "\r\n", strings.Repeat("a", 128), strings.Repeat("a", 128)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t, func(conf *Config) {
				if conf.RequestID = c.on; c.trusted {
					conf.Proxies.AllowIPs = "127.0.0.1"
				}
			})
			g.hire(0, echoIDs)
			client := g.dial()
			for _, request := range []string{
				"GET / HTTP/1.1\r\nHost: x\r\n" + c.fields + "\r\n",
				"POST / HTTP/1.1\r\nHost: x\r\n" + c.fields + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			} {
				client.say(request)
				r, body := client.hear("GET")
				told, _, _ := strings.Cut(body, "|")
				responded := r.Header.Values("X-Request-ID")
				if len(responded) != 1 {
					t.Fatalf("%s: the response says %q", c.name, responded)
				}
				if c.told == "own" && (!ownID.MatchString(told) || responded[0] != told) || c.told != "own" && (told != c.told || responded[0] != c.responded) {
					t.Errorf("%s: the application was told %q, the response says %q", c.name, told, responded)
				}
			}
		})
	}
}

// The id of a request is in the page that its client gets when it fails.
func TestTheIDOfAFailedRequest(t *testing.T) {
	g := newRig(t, func(c *Config) { c.RequestID, c.RequestIDHeader = true, "X-Correlation-ID" })
	s := g.hire(0, nil)
	for _, request := range []string{get, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
		c := g.dial()
		c.say(request)
		id, env, _, _, _ := s.take()
		told := env["HTTP_X_CORRELATION_ID"].(string)
		s.dies("crashed", id)
		if r, body := c.hear("GET"); r.Header.Get("X-Correlation-ID") != told || !strings.Contains(body, told) || !strings.Contains(g.log.String(), told) {
			t.Errorf("told %q, the response is %v %q", told, r.Header, body)
		}
		s = g.hire(0, nil)
	}
}

func TestRequestStart(t *testing.T) {
	for _, c := range []struct {
		trusted      bool
		given, taken string
	}{
		{true, "", ""}, {true, "t=1700000000.123", "t=1700000000.123"}, {true, "1700000000123", "1700000000123"}, {true, "t=1700000000123456", "t=1700000000123456"},
		{true, "t=x", ""}, {true, "t=1.2.3", ""}, {true, "t=-1700000000", ""}, {true, "t=1700000000.", ""}, {false, "t=1700000000.123", ""},
	} {
		t.Run(c.given, func(t *testing.T) {
			g := newRig(t, func(conf *Config) {
				if conf.RequestStart = true; c.trusted {
					conf.Proxies.AllowIPs = "127.0.0.1"
				}
			})
			g.hire(0, echoIDs)
			client := g.dial()
			before := time.Now().Truncate(time.Millisecond)
			field := ""
			if c.given != "" {
				field = "X-Request-Start: " + c.given + "\r\n"
			}
			client.say("GET / HTTP/1.1\r\nHost: x\r\n" + field + "\r\n")
			_, body := client.hear("GET")
			_, told, _ := strings.Cut(body, "|")
			if c.taken != "" {
				if told != c.taken {
					t.Errorf("%q of a proxy became %q", c.given, told)
				}
			} else {
				seconds, err := strconv.ParseFloat(strings.TrimPrefix(told, "t="), 64)
				at := time.UnixMilli(int64(seconds*1000 + 0.5))
				if err != nil || at.Before(before) || at.After(time.Now()) {
					t.Errorf("given %q, told %q, which is not between %v and now", c.given, told, before)
				}
			}
		})
	}
}

// Ids must differ between gateways and between requests, also when many
// goroutines ask.
func TestIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		var s idSource
		s.seed()
		for range 10_000 {
			id := string(s.append(nil))
			if seen[id] || !ownID.MatchString(id) {
				t.Fatalf("id %s came twice or is malformed", id)
			}
			seen[id] = true
		}
	}
}

// With ids and times the express path allocates no more than without.
func TestMarksAllocateNothing(t *testing.T) {
	b := newBench(t)
	g := b.loop.gateway
	check(t, g.marks.configure(Config{RequestID: true, RequestIDHeader: "X-Request-ID", RequestStart: true}))
	b.request = []byte("GET /path HTTP/1.1\r\nHost: example.org\r\nAccept: application/json\r\nX-Request-ID: given\r\n\r\n")
	for _, trusted := range []bool{true, false} {
		b.conn.trusted = trusted
		for range 10 {
			b.turn()
		}
		if n := testing.AllocsPerRun(500, b.turn); n > 0 {
			t.Errorf("trusted %v: %v allocations per request, want none", trusted, n)
		}
	}
}

func TestSetField(t *testing.T) {
	var h http1.Head
	limits := http1.DefaultLimits()
	_, err := h.Parse([]byte("GET / HTTP/1.1\r\nA: 1\r\nHost: x\r\na: 2\r\n\r\n"), &limits)
	check(t, err)
	setField(&h, []byte("A"), []byte("new"))
	setField(&h, []byte("B"), []byte("added"))
	got := ""
	for _, f := range h.Fields {
		got += fmt.Sprintf("%s=%s;", f.Name, f.Value)
	}
	if got != "A=new;Host=x;B=added;" {
		t.Errorf("got %s", got)
	}
}

func TestFieldNamesForIDs(t *testing.T) {
	for _, name := range []string{"X Y", "", "X_Request_ID", "Connection", "a:b"} {
		var m marks
		if err := m.configure(Config{RequestIDHeader: name}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

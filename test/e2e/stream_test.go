package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// begin asks for path on a connection of its own and returns the response up to
// its body.
func (s *service) begin(path string) (*client, *http.Response) {
	s.t.Helper()
	c := s.client()
	c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
	response := c.head("GET")
	if response.StatusCode != 200 {
		s.t.Fatalf("GET %s: got %d, want 200", path, response.StatusCode)
	}
	return c, response
}

// tell leaves a note for the application.
func (s *service) tell(name string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.notes, name), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestTheFirstPartArrivesBeforeTheSecondIsMade(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "streams"})
	c, response := s.begin("/two")
	first := make([]byte, len("first"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first" {
		t.Fatalf("got %q, %v", first, err)
	}
	if s.noted("two-closed") {
		t.Error("the body was closed before its end")
	}
	s.tell("go")
	rest, err := io.ReadAll(response.Body)
	if err != nil || string(rest) != "second" {
		t.Fatalf("got %q, %v", rest, err)
	}
	s.note("two-closed")
	c.ask("GET /list HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "whole list")
	s.stop()
}

// A reader that does not read stops the application, not the memory of the
// processes between.
func TestASlowReaderStopsTheGenerator(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "streams"})
	gateway := s.the("gateway")
	before := peak(t, gateway)
	c, response := s.begin("/endless")
	// The kernel's buffers fill; then it must stand still.
	made := s.stands("made")
	if made > 32 {
		t.Errorf("%d MB were made for a client that reads nothing", made)
	}
	if grew := peak(t, gateway) - before; grew > 32<<20 {
		t.Errorf("the gateway's memory grew by %d MB", grew>>20)
	}
	// It goes on when the client does, and ends when the client leaves.
	if _, err := io.CopyN(io.Discard, response.Body, 64<<20); err != nil {
		t.Fatal(err)
	}
	if now := s.number("made"); now <= made {
		t.Errorf("after reading 64 MB %d MB were made, before %d", now, made)
	}
	_ = c.conn.Close() // the client has had enough
	s.note("endless-closed")
	s.wantsMore()
	s.stop()
}

// number reads the number that a note holds.
func (s *service) number(name string) int {
	s.t.Helper()
	n, err := strconv.Atoi(s.note(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// stands waits until a note's number has not changed for a while. That nothing
// happens can only be seen by waiting.
func (s *service) stands(name string) int {
	s.t.Helper()
	last, since := s.number(name), time.Now()
	s.until("the note "+name+" stands still", func() bool {
		if now := s.number(name); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
	return last
}

// wantsMore checks that the service goes on.
func (s *service) wantsMore() {
	s.t.Helper()
	s.wants("/list", 200, "whole list")
}

func TestEveryBodyIsClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "streams"})
	s.allow("Traceback (most recent")
	s.wants("/list", 200, "whole list")
	s.note("list-closed")
	s.wants("/empty", 200, "")
	s.note("empty-closed")
	if status, _ := s.get("/fail-before"); status != 500 {
		t.Errorf("a failure before the first part: got %d, want 500", status)
	}
	s.note("fail-before-closed")
	response, err := s.web.Head(s.url("/two")) // nobody tells it to go on
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // a HEAD has none
	s.tell("go")
	s.note("two-closed")
	s.stop()
}

// A response that the application did not finish must not look finished.
func TestAFailureInTheMiddleIsSeen(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "streams"})
	s.allow("Traceback (most recent")
	for _, request := range []string{
		"GET /fail HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /fail-known HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /fail-known HTTP/1.0\r\n\r\n",
		"GET /fail HTTP/1.0\r\n\r\n",
	} {
		_ = os.Remove(filepath.Join(s.notes, "go")) // of the round before
		c := s.client()
		c.send(request)
		response := c.head("GET")
		part := make([]byte, 1000)
		if _, err := io.ReadFull(response.Body, part); err != nil {
			t.Fatal(err)
		}
		s.tell("go")
		if rest, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("%q: the body of 1000 + %d bytes ended as if it were whole", request, len(rest))
		}
		path := strings.Fields(request)[1][1:]
		s.note(path + "-closed")
		_ = os.Remove(filepath.Join(s.notes, path+"-closed")) // for the next round
	}
	s.wantsMore()
	s.stop()
	if n := s.stderr.count("RuntimeError: in the middle"); n != 4 {
		t.Errorf("the failure was told %d times, want 4", n)
	}
}

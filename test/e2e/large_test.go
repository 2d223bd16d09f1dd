package e2e

import (
	"crypto/rand"
	"fmt"
	"io"
	"testing"
)

const (
	mega = 1 << 20
	// huge is far beyond what may stay in memory.
	huge = 200 * mega
	// roomy is how much memory a process may need for it.
	roomy = 64 * mega
	// shadow is how much of it the race detector has for each byte that Go uses, at least.
	shadow = 1
)

// frugal notes the peak memory of gateway and worker, and returns a check that
// it has not grown much.
func (s *service) frugal() (check func(what string)) {
	s.t.Helper()
	before := map[int]int64{}
	for _, pid := range []int{s.pid, s.the("gateway"), s.the("worker")} {
		before[pid] = peak(s.t, pid)
	}
	limit := int64(roomy)
	if raceEnabled {
		limit *= 1 + shadow
	}
	return func(what string) {
		s.t.Helper()
		for pid, was := range before {
			if grew := peak(s.t, pid) - was; grew > limit {
				s.t.Errorf("%s: the %s's memory grew by %d MB", what, role(pid), grew/mega)
			}
		}
	}
}

// Not parallel: the three together move 800 MB, and two cores have enough to do.
func TestLargeBodiesNeedLittleMemory(t *testing.T) {
	s := serve(t, launch{app: "streams"})
	check := s.frugal()
	calm := s.calm()

	block := make([]byte, mega)
	_, _ = rand.Read(block) // never fails, as its documentation says
	c := s.client()
	c.send(fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", huge))
	for range huge / mega {
		c.send(string(block))
	}
	c.wants("POST", 200, fmt.Sprint(huge))
	check("an upload")

	c.send("POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range huge / mega {
		c.send(fmt.Sprintf("%x\r\n%s\r\n", mega, block))
	}
	c.send("0\r\n\r\n")
	c.wants("POST", 200, fmt.Sprint(huge))
	check("a chunked upload")

	for _, path := range []string{"/large/200", "/file/200"} {
		c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		response := c.head("GET")
		if n, err := io.Copy(io.Discard, response.Body); n != huge || err != nil {
			t.Errorf("GET %s: got %d bytes, %v, want %d", path, n, err, huge)
		}
		check("GET " + path)
	}
	calm()
	s.stop()
}

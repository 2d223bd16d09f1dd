package lab

import (
	"io"
	"testing"
	"time"
)

// The request that is on its way when an operator stops the service must be
// answered whole.
func TestStopLetsARequestFinish(t *testing.T) {
	t.Parallel()
	s := install(t, "stop", config{})
	s.systemctl("start", s.unit())
	type answer struct {
		body string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		body, err := s.lab.fetch(s.limit(), "unix", s.path(), "/slow")
		answers <- answer{body, err}
	}()
	s.await(s.from, said("slow request begun"))
	begin := time.Now()
	s.systemctl("stop", s.unit())
	if took := time.Since(begin); took < time.Second {
		t.Errorf("stop returned after %v, with a request of 2s in hand", took)
	}
	if a := <-answers; a.err != nil || a.body != "slow but whole\n" {
		t.Errorf("the request in hand got %q, %v", a.body, a.err)
	}
	s.wantProperty("Result", "success")
	s.wantCleanLog()
}

// The same for a response that has already begun.
func TestStopLetsAStreamFinish(t *testing.T) {
	t.Parallel()
	s := install(t, "stop-stream", config{})
	s.systemctl("start", s.unit())
	resp, err := s.lab.Client("unix", s.path()).Get("http://lab.test/slow-stream")
	s.must(err)
	defer resp.Body.Close()
	first := make([]byte, len("first\n"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first\n" {
		t.Fatalf("first part of the stream: got %q, %v", first, err)
	}
	stopped := make(chan error, 1)
	go func() {
		_, err := s.lab.Run(s.limit(), "systemctl", "stop", s.unit())
		stopped <- err
	}()
	s.await(s.from, identified(UnitStopping))
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != "last\n" {
		t.Errorf("rest of the stream: got %q, %v", rest, err)
	}
	s.must(<-stopped)
	s.wantProperty("Result", "success")
	s.wantCleanLog()
}

// Stopping the service is not stopping its socket: the next client starts it
// again.
func TestSocketOutlivesAStop(t *testing.T) {
	t.Parallel()
	s := install(t, "again", config{})
	s.systemctl("start", s.socket())
	s.get("/", "hello from flask\n")
	before := s.mainPID()
	s.systemctl("stop", s.unit())
	s.wantProperty("ActiveState", "inactive")
	s.get("/", "hello from flask\n")
	if after := s.mainPID(); after == before {
		t.Errorf("the master is still pid %d", before)
	}
	s.wantCleanLog()
}

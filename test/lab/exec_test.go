package lab

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// A program in any language is a service like one in Python: the same units start it by
// its first client, exchange it, refuse what is broken, watch it, and let it finish.
func TestExecRunsUnderTheUnit(t *testing.T) {
	t.Parallel()
	s := install(t, "program", config{whole: `exec = ["/usr/bin/python3", "program.py"]
workers = 2
exec_watchdog = 2
`})
	s.systemctl("start", s.socket())
	s.wantProperty("ActiveState", "inactive")
	s.get("/", "the first\n")
	s.await(s.from, said("serving: gen=1"))
	master := s.property("MainPID")

	ends := s.callers(3)
	reload := s.program(t)
	s.must(reload("the second", false))
	s.await(s.from, said("reload done: gen=2")) // those before have left: until then they may accept
	s.get("/", "the second\n")
	if err := reload("the third", true); err == nil {
		t.Error("systemctl reload succeeded with a program that ends at once")
	}
	s.await(s.from, said("ended with status 7"))
	if words := s.property("StatusText"); !strings.Contains(words, "reload failed: ") || !strings.Contains(words, "ended with status 7") {
		t.Errorf("systemctl status says %q", words)
	}
	s.get("/", "the second\n")
	s.must(reload("the fourth", false))
	s.await(s.from, said("reload done: gen=4"))
	for _, err := range ends() {
		t.Error("a client during the reloads:", err)
	}
	out, err := s.lab.Run(s.limit(), "indrik", "status", "program")
	for _, want := range []string{"Program: /usr/bin/python3 program.py", "Unit: indrik@program.service, active (running)", "2 wanted, generation 4", "the fourth"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("indrik status: %v; it does not say %q:\n%s", err, want, out)
		}
	}

	s.watchesPrograms()
	s.wantProperty("MainPID", master)
	s.wantProperty("NRestarts", "0")
	s.stopsWhole()
}

// program returns what puts another program in the place of the one that runs, and
// reloads.
func (s *service) program(t *testing.T) func(word string, broken bool) error {
	t.Helper()
	text, err := os.ReadFile("testdata/app/program.py")
	s.must(err)
	return func(word string, broken bool) error {
		t.Helper()
		next := strings.Replace(string(text), `WORD = "the first"`, fmt.Sprintf("WORD = %q", word), 1)
		if broken {
			next = strings.Replace(next, "BROKEN = False", "BROKEN = True", 1)
		}
		s.must(s.lab.WriteFile("/srv/"+s.name+"/program.py", []byte(next), 0o644))
		_, err := s.lab.Run(s.limit(), "systemctl", "reload", s.unit())
		return err
	}
}

// callers ask again and again until they are told to end; what they got then that was
// no answer is returned.
func (s *service) callers(n int) (end func() []error) {
	var mu sync.Mutex
	var failed []error
	var calling sync.WaitGroup
	over := make(chan struct{})
	for range n {
		calling.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if _, err := s.lab.fetch(s.limit(), "unix", s.path(), "/"); err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	return func() []error {
		close(over)
		calling.Wait()
		return failed
	}
}

// watchesPrograms has a program hang, and another leave a child that only its control
// group knows.
func (s *service) watchesPrograms() {
	s.t.Helper()
	from, err := s.lab.Cursor(s.limit())
	s.must(err)
	s.get("/hang", "the fourth\n")
	s.await(from, said("cause=silent"))

	s.wantParts("master", "worker-0-4", "worker-1-4")
	from, err = s.lab.Cursor(s.limit())
	s.must(err)
	left, err := s.lab.fetch(s.limit(), "unix", s.path(), "/leave")
	s.must(err)
	left = strings.TrimSpace(left)
	s.await(from, said("status=5"))
	killed := s.await(from, said("processes left by a worker killed"))
	if !strings.Contains(killed.Message, left) {
		s.t.Errorf("got %q, want pid %s in it", killed.Message, left)
	}
	s.wantParts("master", "worker-0-4", "worker-1-4")
}

// stopsWhole stops the service while a request is in hand.
func (s *service) stopsWhole() {
	s.t.Helper()
	from, err := s.lab.Cursor(s.limit())
	s.must(err)
	answers := make(chan string, 1)
	go func() {
		body, err := s.lab.fetch(s.limit(), "unix", s.path(), "/slow")
		answers <- fmt.Sprintf("%s%v", body, err)
	}()
	s.await(from, said("slow request begun"))
	s.systemctl("stop", s.unit())
	if got := <-answers; got != "slow but whole\n<nil>" {
		s.t.Errorf("the request in hand got %q", got)
	}
	s.wantProperty("Result", "success")
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const patience = 30 * time.Second

// build makes a build of this program at path, by a rename, as an installation does.
func build(t *testing.T, path, version string) {
	t.Helper()
	out, err := exec.Command("go", "build", "-ldflags", "-X main.version="+version, "-o", path+".new", ".").CombinedOutput()
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}

// journal keeps what the service says and lets a test wait for it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) await(t *testing.T, part string) string {
	t.Helper()
	var rest string
	within(t, part, func() bool {
		_, after, found := strings.Cut(j.String(), part)
		rest, _, _ = strings.Cut(after, "\n")
		return found
	})
	return rest
}

func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); {
		if time.Now().After(limit) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond) // another process has no event for us
	}
}

// get asks on a connection of its own.
func get(url string) (string, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// load is clients that ask all the while, each time on a connection of its own.
type load struct {
	asked, failed atomic.Int64
	stop          chan struct{}
	clients       sync.WaitGroup
}

func startLoad(url string, said io.Writer) *load {
	l := &load{stop: make(chan struct{})}
	for range 2 {
		l.clients.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				l.asked.Add(1)
				if text, err := get(url); err != nil || !strings.HasPrefix(text, "version ") {
					l.failed.Add(1)
					_, _ = fmt.Fprintln(said, "client:", text, err) // for whoever reads the failure
				}
			}
		})
	}
	return l
}

// flows waits until more requests have been made.
func (l *load) flows(t *testing.T) {
	t.Helper()
	from := l.asked.Load()
	within(t, "more requests", func() bool { return l.asked.Load() > from+20 })
}

func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.clients.Wait()
	if l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", l.failed.Load(), l.asked.Load())
	}
}

// The story of the README: two builds, a broken one, a worker that is killed, and a
// client that asks all the while and never notices.
func TestTheServiceUpgradesItself(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "goservice")
	build(t, exe, "1")
	said := new(journal)
	cmd := exec.Command(exe, "-listen", "127.0.0.1:0")
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // the workers see the end of their life lines
		if t.Failed() {
			t.Log(said)
		}
	})
	url := "http://" + said.await(t, "listening on ")
	said.await(t, "generation 1 serves")

	l := startLoad(url, said)
	signal := func(pid int, sig syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	l.flows(t)
	build(t, exe, "2")
	signal(cmd.Process.Pid, syscall.SIGHUP)
	said.await(t, "generation 2 serves")
	within(t, "only version 2", func() bool { text, err := get(url); return err == nil && text == "version 2\n" })

	if err := os.Rename(exe, exe+".good"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, []byte("#!/bin/sh\nexit 9\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	signal(cmd.Process.Pid, syscall.SIGHUP)
	said.await(t, "generation 3: a worker ended before it was ready: crashed, status 9")
	l.flows(t)
	if err := os.Rename(exe+".good", exe); err != nil {
		t.Fatal(err)
	}
	l.end(t)

	pid, err := get(url + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	worker, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	signal(worker, syscall.SIGKILL)
	within(t, "another worker", func() bool {
		other, err := get(url + "/pid")
		return err == nil && other != pid
	})
	signal(cmd.Process.Pid, syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	if text, err := get(url); err == nil {
		t.Errorf("after the end it answers %q", text)
	}
}

// A start that cannot be is told of, by the package that knows.
func TestNobodyServesWithoutWorkers(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "goservice")
	build(t, exe, "1")
	cmd := exec.Command(exe, "-listen", "127.0.0.1:0", "-workers", "0")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "pool of 0 slots") {
		t.Errorf("no workers: %v, %s", err, out)
	}
}

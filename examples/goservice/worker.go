package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/indrik/indrik/activation"
)

// workerEnv tells a worker from the master.
const workerEnv = "WORKER"

// What the master gives to a worker; see spawn in master.go.
const (
	lifeLine    = 3
	readyPipe   = 4
	firstSocket = 5
)

// work is the whole life of a worker.
func work() error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() { // the master is gone if this returns: leave as if it had asked
		_, _ = io.Copy(io.Discard, os.NewFile(lifeLine, "life line"))
		stop <- syscall.SIGTERM
	}()
	listeners, err := inherit()
	if err != nil {
		return err
	}
	s := newServer()
	for _, l := range listeners {
		s.accept(l)
	}
	ready := os.NewFile(readyPipe, "ready")
	if _, err := ready.Write([]byte{'R'}); err != nil {
		return fmt.Errorf("say that we are ready: %w", err)
	}
	<-stop
	s.drain(20 * time.Second)
	return nil
}

// inherit makes listeners of the sockets that the master passed.
func inherit() (all []net.Listener, err error) {
	for fd := firstSocket; ; fd++ {
		socket, err := activation.FromFD(fd, "passed")
		if err != nil && len(all) > 0 {
			return all, nil // that was the last one
		}
		if err != nil {
			return nil, err
		}
		file := os.NewFile(uintptr(socket.FD), socket.Name)
		l, err := net.FileListener(file)
		_ = file.Close() // the listener has its own
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
}

// server is an http.Server that loses nobody when it leaves.
type server struct {
	http.Server
	listeners   []net.Listener
	accepting   sync.WaitGroup
	connections atomic.Int64
}

func newServer() *server {
	s := new(server)
	s.ReadHeaderTimeout = 10 * time.Second
	s.Handler = http.HandlerFunc(answer)
	s.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.connections.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.connections.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	return s
}

func (s *server) accept(l net.Listener) {
	s.listeners = append(s.listeners, l)
	s.accepting.Go(func() { _ = s.Serve(l) }) // it ends when drain closes l
}

// drain answers everybody who was accepted, and takes nobody new: those find the other
// workers at the same listener. http.Server.Shutdown comes last, because it hangs up
// on connections whose first request arrives after it was called.
func (s *server) drain(limit time.Duration) {
	for _, l := range s.listeners {
		_ = l.Close() // our copy only
	}
	s.accepting.Wait()
	s.SetKeepAlivesEnabled(false)
	deadline, look := time.After(limit), time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for s.connections.Load() > 0 {
		select {
		case <-look.C:
		case <-deadline:
			_ = s.Close() // their time is over
			return
		}
	}
	_ = s.Shutdown(context.Background()) // nobody is left
}

// answer is the service itself.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/pid" {
		_, _ = fmt.Fprint(w, os.Getpid())
		return
	}
	_, _ = fmt.Fprintf(w, "version %s\n", version)
}

package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/metrics"
	"github.com/indrik/indrik/settings"
)

// What a client of the admin listener may take. There are few of them, and one that
// takes longer is no probe and no scraper.
const (
	adminClients  = 32 // others wait in the accept queue
	adminHead     = 16 << 10
	adminPatience = 10 * time.Second // for a request, and for its answer
	adminIdle     = 30 * time.Second // between two requests
	// adminMode of its file lets everybody connect to a Unix socket; who may reach it is
	// said by its directory.
	adminMode = 0o777
)

// ErrStuck is what clients of the admin listener learn of a loop that does not turn.
var ErrStuck = errors.New("the master's loop does not answer")

// Admin answers probes, scrapers and people for one master. The zero value listens
// nowhere. It belongs to the master's loop.
type Admin struct {
	Passed activation.Socket // by systemd, for this; its Name is "" if there is none
	Socket activation.Socket // in use; likewise
	server *http.Server
}

// Listens reports whether somebody may ask.
func (a *Admin) Listens() bool { return a.server != nil }

// Open opens the admin listener that settings want, unless it is in use. It is the
// caller's until Use; its Name is "" if none is wanted.
func (a *Admin) Open(ctx context.Context, s *settings.Values) (activation.Socket, error) {
	address := s.AdminBind()
	switch {
	case a.Passed.Name != "":
		return a.Passed, nil
	case address == "":
		return activation.Socket{}, nil
	case a.Socket.Name == address:
		return a.Socket, nil
	}
	bind, err := activation.ParseBind(address)
	var socket activation.Socket
	if err == nil {
		socket, err = activation.Listen(ctx, bind, activation.ListenOptions{Mode: adminMode &^ fs.FileMode(s.Umask())})
	}
	if err != nil {
		return socket, fmt.Errorf("admin_bind: %w", err)
	}
	return socket, nil
}

// Drop closes what Open has opened for a plan that will not be carried out.
func (a *Admin) Drop(s activation.Socket) error {
	if s.Name == "" || s == a.Socket || s == a.Passed {
		return nil
	}
	return s.Close()
}

// Use answers on s from now on, with what source says, and no longer on the one before.
// An error is that of closing one of them, or says why nobody is answered.
func (a *Admin) Use(s activation.Socket, source metrics.Source, say hclog.Logger) error {
	if s == a.Socket && a.server != nil || s.Name == "" && a.server == nil {
		return nil
	}
	closed := a.Close()
	if s.Name == "" {
		return closed
	}
	ln, err := listenOn(s)
	if err != nil {
		return errors.Join(closed, fmt.Errorf("answer on the admin listener %s: %w", s.Address, err), s.Close())
	}
	a.Socket = s
	a.server = &http.Server{
		Handler:           metrics.Handler(source),
		ReadHeaderTimeout: adminPatience, ReadTimeout: adminPatience, WriteTimeout: adminPatience, IdleTimeout: adminIdle,
		MaxHeaderBytes: adminHead,
		ErrorLog:       log.New(io.Discard, "", 0), // what clients do wrong, they are told
	}
	say.Info("admin listening", "address", s.Address, "network", s.Network)
	server := a.server
	go func() { _ = server.Serve(&few{Listener: ln, places: make(chan struct{}, adminClients)}) }() // ends with Close
	return closed
}

// Close ends the answering. What is being answered is not waited for.
func (a *Admin) Close() error {
	if s, there := a.Leave(); there {
		return s.Close()
	}
	return nil
}

// Leave ends the answering and leaves the socket, of which the caller has to take care:
// the next image of the process is to answer there. It reports false if there is none.
func (a *Admin) Leave() (s activation.Socket, there bool) {
	if a.server == nil {
		return s, false
	}
	_ = a.server.Close() // the listener is a copy; nothing to lose
	s = a.Socket
	a.server, a.Socket = nil, activation.Socket{}
	return s, true
}

// listenOn makes a listener of a copy of the socket's descriptor.
func listenOn(s activation.Socket) (net.Listener, error) {
	fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("copy the descriptor: %w", err)
	}
	file := os.NewFile(uintptr(fd), s.Name)
	defer file.Close() // FileListener makes one more
	return net.FileListener(file)
}

// few is a listener with so many connections at a time as there are places.
type few struct {
	net.Listener
	places chan struct{}
}

// Accept waits for a place first, so that who finds none waits in the kernel.
func (l *few) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// placed is a connection that has a place.
type placed struct {
	net.Conn
	leave func()
}

// Close gives the place back.
func (c *placed) Close() error {
	c.leave()
	return c.Conn.Close()
}

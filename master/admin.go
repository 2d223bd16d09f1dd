package master

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

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/metrics"
)

// adminName is the FileDescriptorName= by which systemd passes the admin listener.
const adminName = "admin"

// What a client of the admin listener may take. There are few of them, and one that
// takes longer is no probe and no scraper.
const (
	adminClients  = 32 // others wait in the accept queue
	adminHead     = 16 << 10
	adminPatience = 10 * time.Second // for a request, and for its answer
	adminIdle     = 30 * time.Second // between two requests
)

// errStuck is what clients of the admin listener learn of a loop that does not turn.
var errStuck = errors.New("the master's loop does not answer")

// admin answers probes, scrapers and people. The zero value listens nowhere. It
// belongs to the master's loop but for lobby, by which its server asks the loop.
type admin struct {
	passed activation.Socket // by systemd
	socket activation.Socket // in use; its Name is "" if there is none
	server *http.Server
	lobby  lobby
}

// takeAdmin takes the admin listener out of what systemd passed.
func takeAdmin(passed []activation.Socket) (admin activation.Socket, rest []activation.Socket, err error) {
	for _, s := range passed {
		switch {
		case s.Name != adminName:
			rest = append(rest, s)
		case admin.Name != "":
			return admin, rest, fmt.Errorf("take over fd %d: a second socket named %q; one admin listener is all there is", s.FD, adminName)
		default:
			admin = s
		}
	}
	return admin, rest, nil
}

// openAdmin opens the admin listener of a plan, unless it is the one in use.
func (m *master) openAdmin(ctx context.Context, p *plan) error {
	address := p.settings.AdminBind()
	switch {
	case m.admin.passed.Name != "":
		p.admin = m.admin.passed
		return nil
	case address == "":
		return nil
	case m.admin.socket.Name == address:
		p.admin = m.admin.socket
		return nil
	}
	bind, err := activation.ParseBind(address)
	if err != nil {
		return fmt.Errorf("admin_bind: %w", err)
	}
	p.admin, err = activation.Listen(ctx, bind, activation.ListenOptions{Mode: socketMode &^ fs.FileMode(p.settings.Umask())})
	if err != nil {
		return fmt.Errorf("admin_bind: %w", err)
	}
	return nil
}

// dropAdmin closes the admin listener of a plan that will not be carried out.
func (m *master) dropAdmin(p *plan) {
	if p.admin.Name != "" && p.admin != m.admin.socket && p.admin != m.admin.passed {
		m.closeSocket(p.admin)
	}
	p.admin = activation.Socket{}
}

// useAdmin answers on the admin listener of the plan that is in force now.
func (m *master) useAdmin(s activation.Socket) {
	a := &m.admin
	if s == a.socket && a.server != nil || s.Name == "" && a.server == nil {
		return
	}
	m.closeAdmin()
	if s.Name == "" {
		return
	}
	ln, err := listenOn(s)
	if err != nil {
		m.log.Error("admin listener cannot be used", "address", s.Address, "error", err)
		m.closeSocket(s)
		return
	}
	a.socket = s
	a.server = &http.Server{
		Handler:           metrics.Handler(m.inspect),
		ReadHeaderTimeout: adminPatience, ReadTimeout: adminPatience, WriteTimeout: adminPatience, IdleTimeout: adminIdle,
		MaxHeaderBytes: adminHead,
		ErrorLog:       log.New(io.Discard, "", 0), // what clients do wrong, they are told
	}
	m.log.Info("admin listening", "address", s.Address, "network", s.Network)
	server := a.server
	go func() { _ = server.Serve(&few{Listener: ln, places: make(chan struct{}, adminClients)}) }() // ends with Close
}

// closeAdmin ends the answering. What is being answered is not waited for.
func (m *master) closeAdmin() {
	a := &m.admin
	if a.server == nil {
		return
	}
	_ = a.server.Close() // the listener is a copy; nothing to lose
	m.closeSocket(a.socket)
	a.server, a.socket = nil, activation.Socket{}
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

// lobby is where those wait who asked the loop for facts. However many ask, there is
// one question at a time in the loop's mailbox, also if it is stuck for long.
type lobby struct {
	mu      sync.Mutex
	pending *inquiry
}

// inquiry is such a question; facts is set when done is closed.
type inquiry struct {
	done  chan struct{}
	facts *metrics.Facts
}

// inquired: somebody wants to know how the service is.
type inquired struct{ *inquiry }

// inspect asks the loop for facts. Any goroutine but the loop's may call it.
func (m *master) inspect(ctx context.Context) (*metrics.Facts, error) {
	d := &m.admin.lobby
	d.mu.Lock()
	q := d.pending
	if q == nil {
		q = &inquiry{done: make(chan struct{})}
		d.pending = q
		m.facts.post(inquired{q})
	}
	d.mu.Unlock()
	select {
	case <-q.done:
		return q.facts.Clone(), nil
	case <-ctx.Done():
		return nil, errStuck
	}
}

// Metrics answers on the control socket as on the admin listener.
func (c *clerk) Metrics() http.Handler { return metrics.Exporter(c.m.inspect) }

// inform tells all who wait.
func (m *master) inform(q *inquiry) {
	q.facts = m.view(time.Now())
	d := &m.admin.lobby
	d.mu.Lock()
	d.pending = nil
	d.mu.Unlock()
	close(q.done)
}

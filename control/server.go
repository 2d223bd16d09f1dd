package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The limits of a [Server].
const (
	MaxClients     = 16       // questions that are answered at a time
	MaxConnections = 64       // open at a time; others wait to be accepted
	MaxBody        = 64 << 10 // bytes
	MaxHead        = 16 << 10 // bytes
	// MaxWait bounds how long the end of a reload is waited for in one question.
	MaxWait = 60 * time.Second

	readLimit = 5 * time.Second // to send a question
	idleLimit = 30 * time.Second
	// answerLimit is for the question, the wait and the client's reading of it.
	answerLimit = MaxWait + 30*time.Second
)

// A Service is what the socket is about. Its methods may be called by several
// goroutines at a time and return by the end of ctx. An error is told to the client:
// with the status of an [*Error], else with 500.
type Service interface {
	Status(ctx context.Context) (Status, error)
	// Requests are the oldest of those in hand, so many at most.
	Requests(ctx context.Context, most int) ([]Request, error)
	Events(ctx context.Context) ([]Event, error)
	// Stacks asks the workers of one slot, or of all if it is negative.
	Stacks(ctx context.Context, slot int) ([]Stacks, error)
	// Reload asks for one, and returns before it is over.
	Reload(ctx context.Context) (Reload, error)
	// Outcome tells of a reload. Before it is over it waits for any news of it.
	Outcome(ctx context.Context, id int64, wait time.Duration) (Reload, error)
	Rollback(ctx context.Context) (Reload, error)
	Scale(ctx context.Context, workers Amount) (Scaled, error)
	// Recycle replaces the worker of one slot, or all if it is negative.
	Recycle(ctx context.Context, slot int) (Recycled, error)
	LogLevel(ctx context.Context, level Level) (Level, error)
	Stop(ctx context.Context) error
}

// An Exporter is a [Service] with metrics for Prometheus.
type Exporter interface{ Metrics() http.Handler }

// Error is a failure that is the client's to mend, or has a status of its own.
type Error struct {
	Status int // of HTTP
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Errorf makes one.
func Errorf(status int, format string, args ...any) error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

// Server answers on a control socket. Make one with [Serve].
type Server struct {
	service Service
	http    *http.Server
	busy    chan struct{} // holds a token for each question that is being answered
	owner   uint32        // who may ask beside root
	end     context.CancelFunc
	done    chan struct{}
}

// Serve begins to answer on the listening socket fd, which stays the caller's: the
// server has a descriptor of its own. Close ends it.
func Serve(fd int, service Service) (*Server, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("serve the control socket: %w", err)
	}
	file := os.NewFile(uintptr(own), "control socket")
	listener, err := net.FileListener(file)
	_ = file.Close() // the listener has a copy
	if err != nil {
		return nil, fmt.Errorf("serve the control socket: %w", err)
	}
	room := &room{listener, make(chan struct{}, MaxConnections)}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{
		service: service, end: end, done: make(chan struct{}),
		busy: make(chan struct{}, MaxClients), owner: uint32(os.Geteuid()),
	}
	s.http = &http.Server{
		Handler:           s.guard(s.routes()),
		ReadTimeout:       readLimit,
		ReadHeaderTimeout: readLimit,
		WriteTimeout:      answerLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    MaxHead,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,
		ConnState:         room.freed,
		ErrorLog:          log.New(io.Discard, "", 0), // of clients' mistakes, which they are told
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(room) // returns when it is closed
	}()
	return s, nil
}

// Close ends the server: who waits for an answer gets none.
func (s *Server) Close() {
	s.end()
	_ = s.http.Close() // of connections; nothing to lose
	<-s.done
}

// room is a listener that accepts no more than so many connections at a time, so that
// nobody can take all of the master's descriptors.
type room struct {
	net.Listener
	taken chan struct{} // a token for each
}

// Accept waits for room, and for a connection.
func (r *room) Accept() (net.Conn, error) {
	r.taken <- struct{}{} // given back within readLimit, whatever clients do
	conn, err := r.Listener.Accept()
	if err != nil {
		<-r.taken
	}
	return conn, err
}

// freed is told by http.Server what becomes of each connection.
func (r *room) freed(_ net.Conn, state http.ConnState) {
	if state == http.StateClosed {
		<-r.taken
	}
}

type peerKey struct{}

// withPeer remembers who connected.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peer(conn))
}

// peer asks the kernel; nil if it does not say.
func peer(conn net.Conn) *unix.Ucred {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return nil
	}
	var found *unix.Ucred
	_ = raw.Control(func(fd uintptr) { // closed: nobody is there to be told
		if found, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			found = nil
		}
	})
	return found
}

// guard lets in who may ask, and not too many at a time.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := r.Context().Value(peerKey{}).(*unix.Ucred)
		switch {
		case who == nil:
			refuse(w, Errorf(http.StatusForbidden, "the kernel does not say who you are"))
			return
		case who.Uid != 0 && who.Uid != s.owner:
			refuse(w, Errorf(http.StatusForbidden, "user %d may not control this service; root and user %d may", who.Uid, s.owner))
			return
		}
		select {
		case s.busy <- struct{}{}:
			defer func() { <-s.busy }()
		default:
			w.Header().Set("Retry-After", "1")
			refuse(w, Errorf(http.StatusServiceUnavailable, "%d clients are being answered already; try again", MaxClients))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		next.ServeHTTP(w, r)
	})
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var known *Error
	switch {
	case errors.As(err, &known):
		status = known.Status
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		status = http.StatusServiceUnavailable
	}
	answer(w, status, failure{err.Error()})
}

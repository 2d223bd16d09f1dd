package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
)

// programs starts indrik exec with the test binary as the program, played by
// [program] with these words.
func programs(t testing.TB, words string, options ...string) launch {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{world.binary, "exec", "--env", roleEnv + "=" + roleProgram}
	if !slices.Contains(options, "--bind") {
		args = append(args, "--bind", "127.0.0.1:0")
	}
	args = append(append(args, options...), "--", exe)
	return launch{program: append(args, strings.Fields(words)...)}
}

// program is what a test has indrik exec run: a server in Go that behaves as its
// words and its clients say.
//
//	silent    says nothing on NOTIFY_SOCKET
//	mute      does not listen either
//	deaf      ignores SIGTERM
//	late      waits for a file before it says READY=1: late=PATH
//	fails     ends with status 7 if a file is there: fails=PATH
//	errno     announces an error, and ends
func program(words []string) int {
	option := make(map[string]string)
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		option[name] = value
		option["has "+name] = "yes"
	}
	has := func(name string) bool { return option["has "+name] != "" }
	if _, err := os.Stat(option["fails"]); has("fails") && err == nil {
		return 7
	}
	notifier, err := activation.NewNotifier(os.Getenv)
	if err != nil {
		return 8
	}
	if has("errno") {
		_ = notifier.Send("ERRNO=2", "STATUS=no database")
		return 1
	}
	if has("mute") {
		select {}
	}
	p := &programServer{notifier: notifier, silent: has("silent"), deaf: has("deaf")}
	return p.serve(option["late"])
}

type programServer struct {
	notifier *activation.Notifier
	silent   bool
	deaf     bool
	hung     atomic.Bool
	hoard    atomic.Pointer[[]byte]  // memory that is not given back
	kept     []activation.Descriptor // from the descriptor store
	sockets  int
	blocking bool // the first socket was passed so

	listeners   []net.Listener
	connections atomic.Int64
}

func (p *programServer) serve(late string) int {
	passed, err := activation.Descriptors(os.Getenv, os.Getpid())
	if err != nil || len(passed) == 0 {
		fmt.Fprintln(os.Stderr, "no sockets:", err)
		return 9
	}
	flags, _ := unix.FcntlInt(uintptr(passed[0].FD), unix.F_GETFL, 0) // -1 is not blocking
	p.blocking = flags&unix.O_NONBLOCK == 0
	var serving sync.WaitGroup
	server := &http.Server{Handler: http.HandlerFunc(p.answer), ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			p.connections.Add(1)
		case http.StateClosed, http.StateHijacked:
			p.connections.Add(-1)
		}
	}}
	for _, d := range passed {
		s, err := activation.FromFD(d.FD, d.Name)
		if err != nil {
			p.kept = append(p.kept, d) // not a listener: from the store
			continue
		}
		p.sockets++
		file := os.NewFile(uintptr(s.FD), s.Name)
		listener, err := net.FileListener(file)
		_ = file.Close() // the listener has its own
		if err != nil {
			return 9
		}
		p.listeners = append(p.listeners, listener)
	}
	for _, listener := range p.listeners {
		serving.Go(func() { _ = server.Serve(listener) })
	}
	for late != "" {
		if _, err := os.Stat(late); err == nil {
			break
		}
		_ = p.notifier.ExtendTimeout(2 * time.Second)
		time.Sleep(20 * time.Millisecond) // a part: it is slow
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if p.deaf {
		signal.Stop(stop)
		signal.Ignore(syscall.SIGTERM)
	}
	if !p.silent {
		_ = p.notifier.Ready("at work")
	}
	p.live(stop)
	_ = p.notifier.Stopping("")
	p.drain(server, &serving)
	return 0
}

// drain answers whoever was accepted. Shutdown alone would hang up on those whose
// request arrives after it was called.
func (p *programServer) drain(server *http.Server, serving *sync.WaitGroup) {
	for _, l := range p.listeners {
		_ = l.Close() // nothing is accepted any more; clients find the others
	}
	serving.Wait()
	server.SetKeepAlivesEnabled(false)
	for limit := time.Now().Add(patience); p.connections.Load() > 0 && time.Now().Before(limit); {
		time.Sleep(time.Millisecond) // a part: it has nothing else to do
	}
	_ = server.Close()
}

// live beats until it is told to leave.
func (p *programServer) live(stop <-chan os.Signal) {
	interval, err := activation.WatchdogInterval(os.Getenv, os.Getpid())
	if err != nil || interval == 0 {
		interval = time.Hour
	}
	beat := time.NewTicker(interval / 5)
	for {
		select {
		case sig := <-stop:
			fmt.Fprintln(os.Stderr, "asked by", sig)
			return
		case <-beat.C:
			if !p.hung.Load() {
				_ = p.notifier.Watchdog()
			}
		}
	}
}

// answer does what the path says.
func (p *programServer) answer(w http.ResponseWriter, r *http.Request) {
	text := "hello"
	switch argument := r.URL.RawQuery; r.URL.Path {
	case "/pid":
		text = strconv.Itoa(os.Getpid())
	case "/about":
		text = fmt.Sprintf("listen_pid=%t names=%s slot=%s sockets=%d kept=%d blocking=%t", os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()),
			os.Getenv("LISTEN_FDNAMES"), os.Getenv("INDRIK_SLOT"), p.sockets, len(p.kept), p.blocking)
	case "/trigger": // when the client has its answer
		time.AfterFunc(100*time.Millisecond, func() { _ = p.notifier.TriggerWatchdog() })
	case "/forget":
		_ = p.notifier.Remove(argument)
	case "/hang":
		p.hung.Store(true)
	case "/store":
		p.store(argument)
	case "/stored":
		text = p.stored()
	case "/print":
		n, _ := strconv.Atoi(argument) // 0 if it is none
		for range n {
			fmt.Fprintln(os.Stderr, strings.Repeat("x", 1000))
		}
	case "/grow": // by so many megabytes
		n, _ := strconv.Atoi(argument) // 0 if it is none
		more := make([]byte, n<<20)
		for i := 0; i < n<<20; i += 4096 { // a byte of each page: with the race detector each write is slow
			more[i] = 1
		}
		p.hoard.Store(&more)
	case "/say":
		said, _ := url.QueryUnescape(argument) // what cannot be read is not said
		_ = p.notifier.Status(said)
		_ = p.notifier.Barrier(context.Background())
	case "/leave": // a child that is left behind, and an end
		child := exec.Command("sleep", "1000")
		_ = child.Start() // the test sees whether there is one
		text = strconv.Itoa(child.Process.Pid)
		defer time.AfterFunc(100*time.Millisecond, func() { os.Exit(5) })
	}
	_, _ = io.WriteString(w, text)
}

// store gives a descriptor away, whose content is text.
func (p *programServer) store(text string) {
	fd, err := unix.MemfdCreate("kept", unix.MFD_CLOEXEC)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }() // it is in the store
	_, _ = unix.Write(fd, []byte(text))
	_ = p.notifier.Store(text, fd)
	_ = p.notifier.Barrier(context.Background())
}

// stored reads what was kept.
func (p *programServer) stored() string {
	var all []string
	for _, d := range p.kept {
		buf := make([]byte, 100)
		n, _ := unix.Pread(d.FD, buf, 0)
		all = append(all, d.Name+"="+string(buf[:max(n, 0)]))
	}
	return strings.Join(all, " ")
}

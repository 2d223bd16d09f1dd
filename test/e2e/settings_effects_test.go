package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// effects are the settings whose effect takes more than one request to see.
func effects() []proof {
	return []proof{
		{setting: "backlog", prove: proveBacklog},
		{setting: "worker_connections", prove: proveWorkerConnections},
		{setting: "preload_app", prove: provePreload},
		{setting: "boot_concurrency", prove: proveBootConcurrency},
		{setting: "boot_nice", prove: proveBootNice},
		{setting: "scheduling", prove: proveScheduling},
		{setting: "ready_workers", prove: proveReadyWorkers},
		{setting: "reload_extra_files", prove: proveReloadExtraFiles},
		{setting: "user", prove: proveUserAndGroup},
		{setting: "group", prove: proveUserAndGroup},
		{setting: "umask", prove: proveUmask},
		{setting: "keepalive", prove: proveKeepAlive},
		{setting: "client_timeout", prove: proveClientTimeout},
		{setting: "max_connections", prove: proveMaxConnections},
		{setting: "queue_size", prove: proveQueueSize},
		{setting: "queue_timeout", prove: proveQueueTimeout},
		{setting: "min_body_rate", prove: proveMinBodyRate},
		{setting: "tmp_upload_dir", prove: proveTmpUploadDir},
		{setting: "response_buffering", prove: proveResponseBuffering},
		{setting: "gateway_threads", prove: proveGatewayThreads},
		{setting: "http_protocols", prove: proveHTTPProtocols},
		{setting: "http2_max_concurrent_streams", prove: proveHTTP2Settings},
		{setting: "http2_initial_window_size", prove: proveHTTP2Settings},
		{setting: "http2_max_frame_size", prove: proveHTTP2Settings},
		{setting: "http2_max_header_list_size", prove: proveHTTP2Settings},
		{setting: "ciphers", prove: proveCiphers},
		{setting: "tls_min_version", prove: proveTLSMinVersion},
		{setting: "tls_handshakes", prove: proveTLSHandshakes},
		{setting: "ws_max_size", prove: func(t *testing.T) { proveWSMaxSize(t, "--ws-max-size") }},
		{setting: "websocket_max_message_size", prove: func(t *testing.T) { proveWSMaxSize(t, "--websocket-max-message-size") }},
		{setting: "ws_ping_interval", prove: provePings},
		{setting: "ws_ping_timeout", prove: provePings},
		{setting: "asgi_lifespan", prove: proveLifespan},
		{setting: "asgi_disconnect_grace_period", prove: proveDisconnectGrace},
		{setting: "paste", prove: provePaste},
		{setting: "raw_paste_global_conf", prove: provePaste},
		{setting: "proc_name", prove: proveProcName},
		{setting: "control_socket_disable", prove: proveNoControlSocket},
	}
}

// proveBacklog reads the length of the accept queue from the master's own socket.
func proveBacklog(t *testing.T) {
	s := serve(t, launch{app: "plain", args: []string{"--backlog", "7"}})
	found := false
	for _, fd := range listeners(t, s.pid) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		found = found || err == nil && info.Sacked == 7 // of a listening socket: the longest the queue may be
	}
	if !found {
		t.Error("no listening socket has the backlog")
	}
	s.stop()
}

func proveWorkerConnections(t *testing.T) {
	s := serve(t, launch{app: "aplain", args: []string{"--worker-connections", "1", "--gateway-threads", "1"}})
	first := s.client()
	first.send("GET /wait/held HTTP/1.1\r\nHost: x\r\n\r\n")
	s.note("held")
	second := s.client()
	second.send("GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := second.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b, err := second.in.ReadByte(); err == nil {
		t.Errorf("a second request is answered at the same time: %q", b)
	}
	_ = first.conn.Close()
	_ = second.conn.SetReadDeadline(time.Now().Add(patience))
	if a := second.receive("GET"); a.status != 200 {
		t.Errorf("the second request got %d", a.status)
	}
	s.stop()
}

func provePreload(t *testing.T) {
	for args, want := range map[string]string{"--preload": "False", "--preload=false": "True"} {
		s := serve(t, launch{app: "effects", args: []string{args}})
		s.wants("/imported", 200, want)
		s.stop()
	}
}

// proveBootConcurrency looks at the imports of three workers: one at a time if that
// is wanted.
func proveBootConcurrency(t *testing.T) {
	for limit, atOnce := range map[string]bool{"1": false, "3": true} {
		dir := files(t, map[string]string{"slow.py": `
import os, time
def say(word):
    fd = os.open("trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, word.encode())
    os.close(fd)
say("(")
time.sleep(1)
say(")")
application = print
`})
		s := serve(t, launch{app: "slow", dir: dir, args: []string{"--workers", "3", "--boot-concurrency", limit}})
		read := func() string {
			text, err := os.ReadFile(filepath.Join(dir, "trace"))
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		s.until("three imports", func() bool { return strings.Count(read(), ")") == 3 })
		if got := strings.Contains(read(), "(("); got != atOnce {
			t.Errorf("with %s: %s", limit, read())
		}
		s.stop()
	}
}

// proveReadyWorkers reloads: the new workers take over although one of them is not
// ready yet.
func proveReadyWorkers(t *testing.T) {
	dir := files(t, map[string]string{"late.py": `
import os, time
if os.environ["INDRIK_GENERATION"] != "1":
    try:
        os.close(os.open("first", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        time.sleep(30)
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1")])
    return [os.environ["INDRIK_GENERATION"].encode()]
`})
	s := serve(t, launch{app: "late", dir: dir, args: []string{"--workers", "2", "--ready-workers", "1", "--graceful-timeout", "5"}})
	s.wants("/", 200, "1")
	s.kill(s.pid, unix.SIGHUP)
	s.until("the new generation answers", func() bool {
		_, generation := s.get("/")
		return generation == "2"
	})
	s.stop()
}

func proveReloadExtraFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "extra.txt")
	if err := os.WriteFile(path, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, launch{app: "plain", args: []string{"--reload", "--reload-extra-file", path}})
	worker := s.the("worker")
	if err := os.WriteFile(path, []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.until("another worker", func() bool {
		workers := s.children("worker")
		return len(workers) == 1 && workers[0] != worker
	})
	s.stop()
}

func proveUserAndGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	s := serve(t, launch{app: "effects", args: []string{"--user", "nobody", "--group", nobody.Gid}})
	if _, got := s.get("/id"); !strings.HasPrefix(got, nobody.Uid+" "+nobody.Gid+" ") {
		t.Errorf("the worker is %q", got)
	}
	s.stop()
}

func proveUmask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := serve(t, launch{app: "plain", bind: []string{"unix:" + path}, args: []string{"--umask", "027"}})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the socket has %v, %v", info.Mode(), err)
	}
	s.stop()
}

func proveKeepAlive(t *testing.T) {
	s := serve(t, launch{app: "plain", args: []string{"--keep-alive", "1"}})
	c := s.client()
	c.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello")
	began := time.Now()
	c.closed()
	if idle := time.Since(began); idle < 800*time.Millisecond || idle > 10*time.Second {
		t.Errorf("closed after %v", idle)
	}
	s.stop()

	s = serve(t, launch{app: "plain", args: []string{"--keep-alive", "0"}})
	c = s.client()
	if a := c.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello"); !a.close {
		t.Error("with 0 the connection is kept")
	}
	s.stop()
}

func proveClientTimeout(t *testing.T) {
	s := serve(t, launch{app: "plain", args: []string{"--client-timeout", "1"}})
	c := s.client()
	began := time.Now()
	c.send("GET / HTTP/1.1\r\nHost")
	_, _ = io.Copy(io.Discard, c.in) // to the end
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the connection lived for %v", took)
	}
	s.stop()
}

func proveMaxConnections(t *testing.T) {
	s := serve(t, launch{app: "plain", args: []string{"--max-connections", "1", "--gateway-threads", "1"}})
	s.allow("connections")
	first, second := s.client(), s.client()
	first.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello")
	second.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := second.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b, err := second.in.ReadByte(); err == nil {
		t.Errorf("a second connection is served at the same time: %q", b)
	}
	_ = first.conn.Close()
	_ = second.conn.SetReadDeadline(time.Now().Add(patience))
	second.wants("GET", 200, "hello")
	s.stop()
}

// occupy has the only worker busy for some seconds, and n more requests wait.
func (s *service) occupy(seconds string, n int) (waiting []*client) {
	s.t.Helper()
	first := s.client()
	first.send("GET /hold/busy/" + seconds + " HTTP/1.1\r\nHost: x\r\n\r\n")
	s.note("busy")
	for range n {
		c := s.client()
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		waiting = append(waiting, c)
	}
	return waiting
}

func proveQueueSize(t *testing.T) {
	s := serve(t, launch{app: "plain", args: []string{"--queue-size", "1", "--gateway-threads", "1"}})
	s.allow("request refused", "queue")
	refusals := 0
	for _, c := range s.occupy("1", 12) {
		if a := c.receive("GET"); a.status == 503 && a.header.Get("Retry-After") != "" {
			refusals++
		}
	}
	if refusals == 0 {
		t.Error("none of 12 requests was refused")
	}
	s.stop()
}

func proveQueueTimeout(t *testing.T) {
	s := serve(t, launch{app: "plain", args: []string{"--queue-timeout", "1", "--gateway-threads", "1"}})
	s.allow("request refused", "queue")
	refusals := 0
	for _, c := range s.occupy("3", 12) {
		if a := c.receive("GET"); a.status == 503 {
			refusals++
		}
	}
	if refusals == 0 {
		t.Error("none of 12 requests was refused, though they wait for 3 seconds")
	}
	s.stop()
}

func proveMinBodyRate(t *testing.T) {
	s := serve(t, launch{app: "plain", args: []string{"--min-body-rate", "1MiB"}})
	s.allow("request refused", "slow")
	c := s.client()
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n12345")
	if a := c.receive("POST"); a.status != http.StatusRequestTimeout {
		t.Errorf("a slow body got %d", a.status)
	}
	s.stop()
}

func proveTmpUploadDir(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, launch{app: "effects", args: []string{"--tmp-upload-dir", dir}})
	c := s.client()
	const size = 3 << 20
	c.send(fmt.Sprintf("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size) + strings.Repeat("a", size-1))
	s.until("a file in the directory", func() bool {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.the("gateway"))) // the pattern is well formed
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, dir+"/") {
				return true
			}
		}
		return false
	})
	c.ask("a", "POST", 200, fmt.Sprint(size))
	s.stop()
}

// proveResponseBuffering has the only worker stream to a client that does not
// read: with room for the response the worker is free for the next one.
func proveResponseBuffering(t *testing.T) {
	for size, free := range map[string]bool{"64MiB": true, "64KiB": false} {
		s := serve(t, launch{app: "effects", args: []string{"--response-buffering", size, "--min-body-rate", "0"}})
		slow := s.client()
		slow.send("GET /stream/32 HTTP/1.1\r\nHost: x\r\n\r\n")
		_, _ = slow.in.Peek(1) // it has begun
		other := s.client()
		other.send("GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		limit := patience
		if !free {
			limit = time.Second
		}
		_ = other.conn.SetReadDeadline(time.Now().Add(limit))
		if _, err := other.in.Peek(1); (err == nil) != free {
			t.Errorf("with %s: the worker is free: %v", size, err == nil)
		}
		s.hangUp()
		s.allow("request failed")
		s.stop()
	}
}

// proveGatewayThreads counts epoll instances: each loop has one.
func proveGatewayThreads(t *testing.T) {
	count := func(n string) (polls int) {
		s := serve(t, launch{app: "plain", args: []string{"--gateway-threads", n}})
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.the("gateway"))) // the pattern is well formed
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && to == "anon_inode:[eventpoll]" {
				polls++
			}
		}
		s.stop()
		return polls
	}
	if one, four := count("1"), count("4"); four != one+3 {
		t.Errorf("1 thread has %d epoll instances, 4 have %d", one, four)
	}
}

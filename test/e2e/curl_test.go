package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reach is a way to the service for a client that takes a URL.
type reach struct {
	name  string
	args  []string // of indrik
	unix  bool
	curl  []string
	https bool
}

// reaches are all ways, each with what curl needs to go it.
func reaches(cert, key string) []reach {
	secure := []string{"--certfile", cert, "--keyfile", key}
	return []reach{
		{name: "TCP", curl: []string{"--http1.1"}},
		{name: "Unix", unix: true, curl: []string{"--http1.1"}},
		{name: "h2c", args: []string{"--http2-cleartext", "prior-knowledge"}, curl: []string{"--http2-prior-knowledge"}},
		{name: "Unix h2c", unix: true, args: []string{"--http2-cleartext", "prior-knowledge"}, curl: []string{"--http2-prior-knowledge"}},
		{name: "TLS", args: secure, curl: []string{"--http1.1", "--cacert", cert}, https: true},
		{name: "TLS h2", args: secure, curl: []string{"--http2", "--cacert", cert}, https: true},
	}
}

// start serves app this way, and returns the service and the URL of its root.
func (r *reach) start(t *testing.T, app string, args ...string) (s *service, url string) {
	t.Helper()
	l := launch{app: app, args: append(args, r.args...)}
	if r.unix {
		path := filepath.Join(t.TempDir(), "socket")
		l.bind = []string{"unix:" + path}
		r.curl = append(r.curl, "--unix-socket", path)
		return serve(t, l), "http://localhost"
	}
	s = serve(t, l)
	if r.https {
		return s, "https://localhost:" + s.port()
	}
	return s, "http://localhost:" + s.port()
}

// Whatever curl can ask is answered the same by each way to the service.
func TestCurlByEveryWay(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	files := t.TempDir()
	body := strings.Repeat("0123456789", 30_000)
	upload := filepath.Join(files, "file.txt")
	if err := os.WriteFile(upload, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, r := range reaches(cert, key) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s, url := r.start(t, "web", "-w", "2", "--static", "/static="+files)
			for _, c := range []struct {
				what, path, want string
				args             []string
			}{
				{"GET", "/", digest("GET", 0, "") + " 200", nil},
				{"three on one connection", "/{a,b,c}", strings.Repeat(digest("GET", 0, "")+" 200", 3), nil},
				{"HEAD", "/big", " 200", []string{"--head", "-o", "/dev/null"}},
				{"a form", "/", digest("POST", 7, "a=1&b=2") + " 200", []string{"-d", "a=1", "-d", "b=2"}},
				{"PUT of a file", "/", digest("PUT", len(body), body) + " 200", []string{"-T", upload}},
				{"a body that is waited for", "/", digest("POST", len(body), body) + " 200", []string{"-H", "Expect: 100-continue", "--data-binary", "@" + upload}},
				{"a body of unknown length", "/", digest("POST", len(body), body) + " 200", []string{"-H", "Transfer-Encoding: chunked", "--data-binary", "@" + upload}},
				{"an unread body", "/unread", digest("POST", len(body), "") + " 200", []string{"--data-binary", "@" + upload}},
				{"a stream", "/stream", "part 0\npart 1\npart 2\npart 3\npart 4\n 200", nil},
				{"no body", "/nothing", " 204", nil},
				{"not modified", "/unchanged", " 304", nil},
				{"a file", "/static/file.txt", body + " 200", nil},
				{"a range", "/static/file.txt", "345 206", []string{"-r", "3-5"}},
				{"the end of a file", "/static/file.txt", "789 206", []string{"-r", "-3"}},
				{"a range past the end", "/static/file.txt", " 416", []string{"-r", "300000-", "-o", "/dev/null"}},
				{"the rest of a download", "/static/file.txt", body[299_990:] + " 206", []string{"-C", "299990"}},
			} {
				if strings.Contains(c.path, "{") && slices.Contains(r.curl, "--http2-prior-knowledge") {
					continue // curl 7.88 cannot do that, whoever serves (curl/curl issue 10634)
				}
				args := append([]string{"-sS", "-m", "60", "-w", " %{http_code}"}, r.curl...)
				if got := tool(t, "curl", append(append(args, c.args...), url+c.path)...); got != c.want {
					t.Errorf("%s: got %q, want %q", c.what, brief(got), brief(c.want))
				}
			}
			s.stop()
		})
	}
}

// h2load keeps several requests in flight on each connection, over HTTP/2, and
// in a pipeline over HTTP/1.1.
func TestH2loadByEveryWay(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	for _, r := range reaches(cert, key) {
		if r.unix {
			continue // it reaches a Unix socket only by a URL of its own
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s, url := r.start(t, "tls", "-w", "2")
			args := []string{"-n", "3000", "-c", "10", "-m", "10", url + "/"}
			if slices.Contains(r.curl, "--http1.1") {
				args = append([]string{"--h1"}, args...)
			}
			out := tool(t, "h2load", args...)
			if !strings.Contains(out, "3000 succeeded, 0 failed, 0 errored, 0 timeout") || !strings.Contains(out, "3000 2xx") {
				t.Errorf("h2load:\n%s", out)
			}
			s.stop()
		})
	}
}

// plainClient is http.client's way of doing what a program does with a service:
// one connection for many requests, which may be a Unix socket.
const plainClient = `
import http.client, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)
where = sys.argv[1]
client = http.client.HTTPConnection("127.0.0.1", int(where)) if where.isdigit() else Unix(where)
def ask(method, path, body=None, **options):
    client.request(method, path, body=body, headers={"Host": "localhost", **options.pop("headers", {})}, **options)
    response = client.getresponse()
    return response, response.read()
sockets = set()
for n in 0, 1, 65_536, 1_000_000:
    response, body = ask("POST", "/", b"x" * n)
    assert body.split()[2] == b"%d" % n, body
    sockets.add(client.sock)
response, body = ask("POST", "/", (b"y" * 10_000 for _ in range(10)), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
assert body.split()[2] == b"100000", body
response, body = ask("GET", "/stream")
assert response.chunked and body.endswith(b"part 4\n"), body
response, body = ask("HEAD", "/big")
assert response.getheader("Content-Length") == "1000000" and body == b"", response.headers
response, body = ask("GET", "/big")
assert len(body) == 1_000_000
response, body = ask("GET", "/header", headers={"X-One": "caf\xe9"})
assert body.split(b"|")[0] == b"caf\xe9" and response.getheader("X-Latin") == "caf\xe9", body
assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
sockets.add(client.sock)
response, body = ask("GET", "/nothing")
print(response.status, response.version, len(sockets))
`

func TestPythonsClient(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "socket")
	s := serve(t, launch{app: "web", bind: []string{"127.0.0.1:0", "unix:" + socket}, args: []string{"-w", "2"}})
	for _, where := range []string{s.port(), socket} {
		if got := tool(t, world.python, "-c", plainClient, where); got != "204 11 1\n" {
			t.Errorf("%s: status, version and connections are %q", where, got)
		}
	}
	s.stop()
}

package lab

import (
	"strings"
	"testing"
)

// tlsServer is somebody else's HTTPS server, for an application that makes requests.
const tlsServer = `import http.server, ssl
class Secret(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"secret\n")
server = http.server.HTTPServer(("127.0.0.1", 8443), Secret)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/srv/https/cert.pem", "/srv/https/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
`

// A unit that nothing runs in is not hard but broken: the libraries that people
// use must work as it is shipped, and what it is to keep away must be away.
func TestHardeningLeavesLibrariesAlone(t *testing.T) {
	t.Parallel()
	s := install(t, "libraries", config{toml: "wsgi_app = 'libraries:app'\nworkers = 2\n"})
	s.must(s.lab.WriteFile("/srv/https/server.py", []byte(tlsServer), 0o644))
	_, err := s.lab.Run(s.limit(), "sh", "-euc", `
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout /srv/https/key.pem -out /srv/https/cert.pem
systemd-run --unit=https-server --service-type=exec /usr/bin/python3 /srv/https/server.py
for i in $(seq 50); do grep -q ':20FB ' /proc/net/tcp && exit; sleep 0.1; done; exit 1`)
	s.must(err)
	t.Cleanup(func() { s.systemctlLate("stop", "https-server") })

	s.systemctl("start", s.socket())
	for _, path := range []string{
		"/numpy", "/django", "/sqlite", "/https", "/names", "/processes", "/programs", "/temporary", "/home",
		"/callbacks", "/niceness", "/walls",
	} {
		body, err := s.lab.fetch(s.limit(), "unix", s.path(), path)
		if err != nil || body != "yes\n" {
			t.Errorf("%s: got %q, %v, want yes", path, body, err)
		}
	}
	s.wantProperty("Slice", "indrik.slice")
}

// The proxy is let in by a group, and nobody else is.
func TestSocketIsOpenToItsGroupOnly(t *testing.T) {
	t.Parallel()
	s := install(t, "group", config{})
	s.systemctl("start", s.socket())
	knock := func(group string) error {
		_, err := s.lab.Run(s.limit(), "setpriv", "--reuid=nobody", "--regid="+group, "--clear-groups",
			"curl", "--silent", "--show-error", "--fail", "--unix-socket", s.path(), "http://lab.test/")
		return err
	}
	if err := knock("indrik"); err != nil {
		t.Errorf("a member of the group indrik: %v", err)
	}
	if err := knock("nogroup"); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("a stranger: got %v, want a refusal", err)
	}
}

// A name that was mistyped must fail where it was typed.
func TestInstanceWithoutConfigurationFailsToStart(t *testing.T) {
	t.Parallel()
	s := install(t, "there", config{})
	for _, unit := range []string{"indrik@nowhere.socket", "indrik@nowhere.service"} {
		_, err := s.lab.Run(s.limit(), "systemctl", "start", unit)
		if err == nil {
			t.Errorf("start %s: it worked", unit)
			continue
		}
		if !strings.Contains(err.Error(), "Assertion failed") && !strings.Contains(err.Error(), "dependency") {
			t.Errorf("start %s: %v", unit, err)
		}
	}
}

// What is in both files is said by the options in the .env: they are the command line.
func TestBothKindsOfConfiguration(t *testing.T) {
	t.Parallel()
	s := install(t, "kinds", config{toml: "wsgi_app = 'webapp:app'\nworkers = 2\n"})
	s.must(s.lab.WriteFile("/etc/indrik/kinds.env", []byte("OPTIONS=--workers 3\n"), 0o644))
	s.systemctl("start", s.unit())
	s.get("/", "hello from flask\n")
	s.await(s.from, func(e Entry) bool { return strings.Contains(e.Message, "workers=3") })
	s.wantCleanLog()
}

// A key that only root can read reaches the gateway as a credential.
func TestCertificateAsCredential(t *testing.T) {
	t.Parallel()
	const keys = "/root/lab-tls"
	s := install(t, "credential", config{service: `[Service]
LoadCredential=tls.pem:` + keys + `/cert.pem
LoadCredential=tls.key:` + keys + `/key.pem
Environment=INDRIK_CERTFILE=%d/tls.pem INDRIK_KEYFILE=%d/tls.key
`})
	_, err := s.lab.Run(s.limit(), "sh", "-euc", `umask 077; mkdir -p `+keys+`
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout `+keys+`/key.pem -out `+keys+`/cert.pem`)
	s.must(err)
	s.systemctl("start", s.socket())
	out, err := s.lab.Run(s.limit(), "curl", "--silent", "--show-error", "--cacert", keys+"/cert.pem",
		"--unix-socket", s.path(), "https://localhost/environment")
	if err != nil || !strings.Contains(out, "CREDENTIALS_DIRECTORY\n") {
		t.Errorf("got %q, %v, want the names in the environment, CREDENTIALS_DIRECTORY among them", out, err)
	}
	s.wantCleanLog()
}

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// certificate writes a certificate for localhost that signs itself, and its key,
// into files of these names.
func certificate(t *testing.T, dir, certFile, keyFile string) (certPath, keyPath string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPath, keyPath = filepath.Join(dir, certFile), filepath.Join(dir, keyFile)
	for path, block := range map[string]*pem.Block{
		certPath: {Type: "CERTIFICATE", Bytes: cert}, keyPath: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certPath, keyPath
}

// tool runs a program that must be there and returns what it printed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%v; test/install says which package has it", err)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// port is that of the first listener.
func (s *service) port() string {
	_, address := s.listener(0)
	return address[strings.LastIndexByte(address, ':')+1:]
}

const pythonClient = `
import http.client, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
client = http.client.HTTPSConnection("localhost", int(sys.argv[2]), context=context)
for n in 0, 1, 100_000, 3_000_000:
    client.request("POST", "/length", body=b"x" * n)
    response = client.getresponse()
    assert response.version == 11, response.version
    assert response.read() == b"%d" % n, n
def pieces():
    for _ in range(10):
        yield b"y" * 10_000
client.request("POST", "/length", body=pieces(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
assert client.getresponse().read() == b"100000"
client.request("GET", "/")
response = client.getresponse()
print(response.status, client.sock.version())
`

// The clients that people use reach the application over TLS and HTTP/2, in
// each way that they can speak.
func TestClientsOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	s := serve(t, launch{app: "tls", args: []string{"--certfile", cert, "--keyfile", key, "--workers", "2"}})
	url := "https://localhost:" + s.port()
	if got := tool(t, world.python, "-c", pythonClient, cert, s.port()); got != "200 TLSv1.3\n" {
		t.Errorf("http.client: %q", got)
	}
	for option, want := range map[string]string{"--http1.1": "1.1 200 https HTTP/1.1", "--http2": "2 200 https HTTP/2"} {
		got := tool(t, "curl", "-sS", option, "--cacert", cert, "-w", "\n%{http_version} %{http_code}", url+"/")
		body, info, _ := strings.Cut(got, "\n")
		if info+" "+body != want {
			t.Errorf("curl %s: %q, want %q", option, info+" "+body, want)
		}
		upload := filepath.Join(t.TempDir(), "upload")
		if err := os.WriteFile(upload, make([]byte, 20<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := tool(t, "curl", "-sS", option, "--cacert", cert, "--data-binary", "@"+upload, url+"/length"); got != fmt.Sprint(20<<20) {
			t.Errorf("curl %s: %q of 20 MiB arrived", option, got)
		}
	}
	out := tool(t, "h2load", "-n", "2000", "-c", "8", "-m", "16", url+"/")
	if !strings.Contains(out, "2000 succeeded, 0 failed, 0 errored, 0 timeout") || !strings.Contains(out, "2000 2xx") {
		t.Errorf("h2load:\n%s", out)
	}
	s.stop()
}

func TestCurlWithPriorKnowledge(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "tls", args: []string{"--http2-cleartext", "prior-knowledge"}})
	url := "http://localhost:" + s.port() + "/"
	for option, want := range map[string]string{"--http1.1": "http HTTP/1.1", "--http2-prior-knowledge": "http HTTP/2"} {
		if got := tool(t, "curl", "-sS", option, url); got != want {
			t.Errorf("curl %s: %q, want %q", option, got, want)
		}
	}
	s.stop()
}

// 200 MB move either way while gateway and worker stay as small as they were.
func TestLargeBodiesOverTLSNeedNoMemory(t *testing.T) {
	t.Parallel()
	const size = 200 << 20
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	s := serve(t, launch{app: "tls", args: []string{"--certfile", cert, "--keyfile", key, "--tmp-upload-dir", t.TempDir()}})
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(upload, size); err != nil {
		t.Fatal(err)
	}
	for _, option := range []string{"--http1.1", "--http2"} {
		url := "https://localhost:" + s.port()
		if got := tool(t, "curl", "-sS", option, "--cacert", cert, "-T", upload, "-X", "POST", url+"/length"); got != fmt.Sprint(size) {
			t.Errorf("%s: %s bytes arrived, want %d", option, got, size)
		}
		got := tool(t, "curl", "-sS", option, "--cacert", cert, "-o", "/dev/null", "-w", "%{size_download}", fmt.Sprintf("%s/bytes/%d", url, size))
		if got != fmt.Sprint(size) {
			t.Errorf("%s: %s bytes came, want %d", option, got, size)
		}
	}
	for _, pid := range marked(s.mark) {
		if size := peak(t, pid); size > 100<<20 && !raceEnabled {
			t.Errorf("%s grew to %d bytes", role(pid), size)
		}
	}
	s.stop()
}

// What is wrong with the certificate is the first thing that is said, and the
// last.
func TestBadCertificatesEndTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, _ := certificate(t, dir, "cert.pem", "key.pem")
	_, other := certificate(t, dir, "other-cert.pem", "other.pem")
	for _, c := range []struct{ args, say []string }{
		{[]string{"--certfile", "nowhere.pem"}, []string{"certfile", "nowhere.pem", "no such file"}},
		{[]string{"--certfile", cert, "--keyfile", other}, []string{other, "is not that of the certificate", cert}},
		{[]string{"--certfile", cert}, []string{cert, "holds no private key"}},
		{[]string{"--certfile", other}, []string{other, "holds no certificate"}},
		{[]string{"--keyfile", other}, []string{"certfile is not"}},
		{[]string{"--certfile", cert, "--keyfile", filepath.Join(dir, "key.pem"), "--cert-reqs", "2"}, []string{"ca_certs is not set"}},
		{[]string{"--certfile", cert, "--keyfile", filepath.Join(dir, "key.pem"), "--plain-listeners", "http"}, []string{`no listener "http"`}},
	} {
		s := start(t, launch{app: "tls", args: c.args})
		s.allow("indrik: ")
		s.expect(1)
		for _, part := range c.say {
			if !strings.Contains(s.stderr.String(), part) {
				t.Errorf("%v: does not say %q:\n%s", c.args, part, s.stderr)
			}
		}
	}
}

// Keys that systemd hands to the service are found by their bare names, and a
// listener that is named stays plain.
func TestCredentialsAndPlainListeners(t *testing.T) {
	t.Parallel()
	credentials := t.TempDir()
	cert, _ := certificate(t, credentials, "cert.pem", "key.pem")
	plain := "unix:" + filepath.Join(t.TempDir(), "plain.sock")
	s := serve(t, launch{
		app: "tls", args: []string{"--certfile", "cert.pem", "--keyfile", "key.pem", "--plain-listeners", plain},
		bind: []string{"127.0.0.1:0", plain}, env: []string{"CREDENTIALS_DIRECTORY=" + credentials},
	})
	if got := tool(t, "curl", "-sS", "--cacert", cert, "https://localhost:"+s.port()+"/"); !strings.HasPrefix(got, "https ") {
		t.Errorf("got %q", got)
	}
	if got := tool(t, "curl", "-sS", "--unix-socket", strings.TrimPrefix(plain, "unix:"), "http://localhost/"); got != "http HTTP/1.1" {
		t.Errorf("on the plain listener: %q", got)
	}
	s.stop()
}

// A stop under HTTP/2 load answers what was asked.
func TestStopUnderHTTP2Load(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	s := serve(t, launch{app: "tls", args: []string{"--certfile", cert, "--keyfile", key}})
	out := make(chan string)
	url := fmt.Sprintf("https://localhost:%s/slow", s.port())
	go func() { out <- tool(t, "curl", "-sS", "--http2", "--cacert", cert, "--parallel", url, url, url, url) }()
	s.note("slow")
	s.kill(s.pid, syscall.SIGTERM)
	if got := <-out; strings.Count(got, "https HTTP/2") != 4 {
		t.Errorf("curl got %q", got)
	}
	s.expect(0)
}

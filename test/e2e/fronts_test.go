package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clientAddress is where requests come from: an address of this machine that is
// neither the proxies' nor in forwarded_allow_ips.
const clientAddress = "127.0.0.9"

// front is a server in front of Indrik: nginx or haproxy, as an ordinary
// process. It is handed its listening sockets, so that no port is guessed.
type front struct {
	t          testing.TB
	plain, tls string // addresses it listens on
	files      []*os.File
	dir        string
}

func newFront(t *testing.T, program string) *front {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; run test/install", err)
		}
		t.Skipf("%v; run test/install", err)
	}
	f := &front{t: t, dir: t.TempDir()}
	for _, at := range []*string{&f.plain, &f.tls} {
		file, address := listening(t, "tcp", "127.0.0.1:0")
		f.files, *at = append(f.files, file), address
	}
	return f
}

// write puts a file into the front's directory and returns its path.
func (f *front) write(name, text string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// run starts the server, which finds the sockets at descriptors 3 and 4, and
// ends it with the test.
func (f *front) run(env string, name string, args ...string) {
	f.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.ExtraFiles = f.files
	cmd.Env = append(os.Environ(), env, markEnv+"="+markPrefix(os.Getpid())+"front.")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		f.t.Fatalf("start %s: %v", name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed by us, or the test fails by its silence
		close(ended)
	}()
	f.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if f.t.Failed() {
			f.t.Logf("%s said:\n%s", name, &said)
		}
	})
	for _, file := range f.files {
		_ = file.Close() // the server has its own; if it ends, clients are refused
	}
}

// runNginx starts nginx with this text as the inside of its http section.
func (f *front) runNginx(inside string) {
	f.t.Helper()
	certificate, key := f.certificate()
	inside = strings.ReplaceAll(inside, "listen 80;", fmt.Sprintf(
		"listen %s; listen %s ssl; ssl_certificate %s; ssl_certificate_key %s;", f.plain, f.tls, certificate, key))
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // another could not reach sockets in the test's directory
	}
	path := f.write("nginx.conf", fmt.Sprintf(`
daemon off; worker_processes 1; %[3]s pid %[1]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; uwsgi_temp_path %[1]s/uwsgi;
    fastcgi_temp_path %[1]s/fastcgi; scgi_temp_path %[1]s/scgi;
%[2]s
}
`, f.dir, inside, user))
	// nginx takes over sockets that a nginx before it names so. (With
	// master_process off, 1.22 then dies of a signal.)
	f.run("NGINX=3;4;", "nginx", "-p", f.dir, "-e", "stderr", "-c", path)
}

// runHAProxy starts haproxy with this text behind its global section.
func (f *front) runHAProxy(text string) {
	f.t.Helper()
	certificate, key := f.certificate()
	both := ""
	for _, path := range []string{certificate, key} {
		part, err := os.ReadFile(path)
		if err != nil {
			f.t.Fatal(err)
		}
		both += string(part)
	}
	text = strings.ReplaceAll(text, "bind :80", "bind fd@3")
	text = strings.ReplaceAll(text, "bind :443 ssl crt /etc/ssl/site.pem", "bind fd@4 ssl crt "+f.write("both.pem", both))
	path := f.write("haproxy.cfg", `
defaults
    timeout connect 10s
    timeout client 10s
    timeout server 10s
`+text+"\n")
	f.run("LC_ALL=C", "haproxy", "-db", "-f", path)
}

// certificate makes one that nobody need believe.
func (f *front) certificate() (certificate, key string) {
	f.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err1 := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	secret, err2 := x509.MarshalPKCS8PrivateKey(private)
	if err1 != nil || err2 != nil {
		f.t.Fatal(err1, err2)
	}
	certificate = f.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return certificate, f.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// client asks the front from clientAddress.
func (f *front) client() *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// facts asks for a path with method and body, under the name of Host, and
// returns what the application was told.
func (f *front) facts(web *http.Client, url, body string, headers ...string) map[string]string {
	f.t.Helper()
	var content io.Reader
	method := http.MethodGet
	if body != "" {
		method, content = http.MethodPost, strings.NewReader(body)
	}
	request, err := http.NewRequest(method, url, content)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Host = "shop.example"
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := web.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	text, err := io.ReadAll(response.Body)
	told := map[string]string{}
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	if err != nil || response.StatusCode != http.StatusOK {
		f.t.Fatalf("%s answered %d %q, %v", url, response.StatusCode, brief(string(text)), err)
	}
	return told
}

// told compares "KEY=value" items, separated by blanks; "KEY-" is one that must
// not be there.
func told(t *testing.T, what string, facts map[string]string, want string) {
	t.Helper()
	for item := range strings.FieldsSeq(want) {
		key, value, ok := strings.Cut(item, "=")
		got, has := facts[strings.TrimSuffix(key, "-")]
		if ok && got != value || !ok && has {
			t.Errorf("%s: %s is %q, want %s", what, key, got, item)
		}
	}
}

// snippet is the nth block of a language in docs/proxies.md: what users copy is
// what is run here.
func snippet(t *testing.T, language string, n int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world.root, "docs/proxies.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```"+language+"\n")
	if len(blocks) <= n {
		t.Fatalf("docs/proxies.md has %d blocks of %s, not %d", len(blocks)-1, language, n)
	}
	block, _, _ := strings.Cut(blocks[n], "```")
	return block
}

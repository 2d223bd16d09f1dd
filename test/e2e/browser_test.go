package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"html"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// browserTime is the limit of one visit; a busy machine needs most of it.
const browserTime = 90 * time.Second

// What JavaScript finds on a page must not depend on how the page came.
func TestABrowser(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	files := browserFiles(t)
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	secure := []string{"--certfile", cert, "--keyfile", key}
	for _, c := range []struct {
		name, scheme, protocol, hop string
		args                        []string
	}{
		{"HTTP/1.1", "http", "http 1.1", "http/1.1", nil},
		{"TLS", "https", "https 1.1", "http/1.1", append([]string{"--http-protocols", "h1"}, secure...)},
		{"HTTP/2", "https", "https 2", "h2", secure},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, launch{app: "browser", args: append([]string{"-w", "1", "--static", "/static=" + files}, c.args...)})
			got := visit(t, chromium, c.scheme+"://localhost:"+s.port()+"/", spki(t, cert))
			for name, want := range map[string]any{
				"form":         `{"word": "caf\u00e9 & cr\u00e8me", "long": 200000}`,
				"events":       "0=event 0,1=event 1,2=event 2",
				"conversation": "text,0+255,long 4001 true permessage-deflate; server_no_context_takeover; client_no_context_takeover",
				"protocol":     c.protocol,
				"upload":       `<pre>{"long": 3000000}</pre>`,
				"image":        float64(3),
				"style":        "123px",
				"hop":          c.hop,
			} {
				if found := got[name]; found != want {
					t.Errorf("%s: the browser found %v, want %v", name, found, want)
				}
			}
			s.note("events-left")
			s.stop()
		})
	}
}

// browser is the path of Chromium.
func browser(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%v; run test/install", err)
	}
	if err != nil {
		t.Skipf("%v; run test/install", err)
	}
	return path
}

// browserFiles is a directory with the page's files.
func browserFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(world.root, "test/e2e/testdata/browser"))); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "dot.png"))
	if err == nil {
		err = errors.Join(png.Encode(file, image.NewGray(image.Rect(0, 0, 3, 2))), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// spki is the digest of a certificate's key, by which Chromium is told to believe it.
func spki(t *testing.T, cert string) string {
	t.Helper()
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

var foundText = regexp.MustCompile(`(?s)<pre id="found">(.*?)</pre>`)

// visit has Chromium load a page to its end, and returns what its script found.
func visit(t *testing.T, chromium, url, key string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	defer cancel()
	args := []string{
		"--headless=new", "--dump-dom", "--user-data-dir=" + t.TempDir(), "--ignore-certificate-errors-spki-list=" + key,
		"--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
	}
	if os.Getuid() == 0 {
		args = append(args, "--no-sandbox") // root may not have one
	}
	cmd := exec.CommandContext(ctx, chromium, append(args, url)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "DBUS_SESSION_BUS_ADDRESS=disabled:")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // for helpers that hold its output
	var said strings.Builder
	cmd.Stderr = &said
	dom, err := cmd.Output()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ESRCH: no helper is left
	}
	if err != nil {
		t.Fatalf("chromium %s: %v\n%s\n%s", url, err, dom, &said)
	}
	var got map[string]any
	if m := foundText.FindSubmatch(dom); m == nil || json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &got) != nil {
		t.Fatalf("chromium found no report on %s:\n%s\n%s", url, dom, &said)
	}
	return got
}

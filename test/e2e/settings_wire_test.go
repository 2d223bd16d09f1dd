package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wire is a setting that shows in the answer to one request: with args the answer
// holds with, without them without.
type wire struct {
	setting       string
	app           string // "" is plain
	base, args    []string
	request       string
	without, with string
}

const end = "\r\nHost: x\r\nConnection: close\r\n\r\n"

// wires are such settings; DIR stands for a directory of files.
func wires() []wire {
	long := strings.Repeat("a", 300)
	fields := strings.Repeat("X: "+long+"\r\n", 6)
	get := func(path string, fields ...string) string {
		return "GET " + path + " HTTP/1.1\r\n" + strings.Join(fields, "\r\n") + strings.Repeat("\r\n", min(len(fields), 1)) + end[2:]
	}
	packet := "\x00\x30\x00\x00" // uwsgi, 48 bytes
	for _, text := range []string{"REQUEST_METHOD", "GET", "PATH_INFO", "/", "SERVER_PROTOCOL", "HTTP/1.1"} {
		packet += string(rune(len(text))) + "\x00" + text
	}
	packet = "\x00" + string(rune(len(packet)-4)) + "\x00\x00" + packet[4:]
	static := []string{"--static", "/s=DIR"}
	return []wire{
		{setting: "limit_request_line", args: []string{"--limit-request-line", "100"}, request: get("/" + long), without: "200", with: "414"},
		{setting: "limit_request_fields", args: []string{"--limit-request-fields", "2"}, request: get("/", "A: 1"), without: "200", with: "431"},
		{setting: "limit_request_field_size", args: []string{"--limit-request-field_size", "100"}, request: get("/", "A: "+long), without: "200", with: "431"},
		{setting: "limit_request_head", args: []string{"--limit-request-head", "1024"}, request: "GET / HTTP/1.1\r\n" + fields + end[2:], without: "200", with: "431"},
		{setting: "limit_request_body", args: []string{"--limit-request-body", "4"}, request: "POST / HTTP/1.1\r\nContent-Length: 5" + end + "12345", without: "200", with: "413"},
		{setting: "permit_unconventional_http_method", args: []string{"--permit-unconventional-http-method"}, request: "ge#t / HTTP/1.1" + end, without: "400", with: "200"},
		{setting: "permit_unconventional_http_version", args: []string{"--permit-unconventional-http-version"}, request: "GET / HTTP/3.1" + end, without: "505", with: "200"},
		{setting: "casefold_http_method", base: []string{"--permit-unconventional-http-method"}, args: []string{"--casefold-http-method"}, request: "get /environ/REQUEST_METHOD HTTP/1.1" + end, without: "'get'", with: "'GET'"},
		{setting: "strip_header_spaces", args: []string{"--strip-header-spaces"}, request: get("/environ/HTTP_A", "A : 1"), without: "400", with: "'1'"},
		{setting: "permit_obsolete_folding", args: []string{"--permit-obsolete-folding"}, request: get("/environ/HTTP_A", "A: 1", " 2"), without: "400", with: "'1 2'"},
		{setting: "forwarded_allow_ips", args: []string{"--forwarded-allow-ips", "10.0.0.1"}, request: get("/environ/wsgi.url_scheme", "X-Forwarded-Proto: https"), without: "'https'", with: "'http'"},
		{setting: "secure_scheme_headers", args: []string{"--secure-scheme-headers", "X-MINE=yes"}, request: get("/environ/wsgi.url_scheme", "X-Mine: yes"), without: "'http'", with: "'https'"},
		{setting: "forwarded", args: []string{"--forwarded", "x-forwarded"}, request: get("/environ/REMOTE_ADDR", "X-Forwarded-For: 9.9.9.9"), without: "'127.0.0.1'", with: "'9.9.9.9'"},
		{setting: "proxy_protocol", args: []string{"--proxy-protocol"}, request: "PROXY TCP4 9.9.9.9 1.1.1.1 5 6\r\n" + get("/environ/REMOTE_ADDR"), without: "400", with: "'9.9.9.9'"},
		{setting: "proxy_allow_ips", base: []string{"--proxy-protocol"}, args: []string{"--proxy-allow-from", "10.0.0.1"}, request: "PROXY TCP4 9.9.9.9 1.1.1.1 5 6\r\n" + get("/"), without: "200", with: "<nothing>"},
		{setting: "protocol", args: []string{"--protocol", "uwsgi"}, request: packet, without: "400", with: "200"},
		{setting: "uwsgi_allow_ips", base: []string{"--protocol", "uwsgi"}, args: []string{"--uwsgi-allow-from", "10.0.0.1"}, request: packet, without: "200", with: "<nothing>"},
		{setting: "forwarder_headers", args: []string{"--forwarder-headers", "REMOTE_USER"}, request: get("/environ/HTTP_REMOTE_USER", "REMOTE_USER: bob"), without: "None", with: "'bob'"},
		{setting: "header_map", args: []string{"--header-map", "refuse"}, request: get("/", "X_A: 1"), without: "200", with: "400"},
		{setting: "request_id", args: []string{"--request-id"}, request: get("/environ/HTTP_X_REQUEST_ID"), without: "None", with: "X-Request-ID: "},
		{setting: "request_id_header", base: []string{"--request-id"}, args: []string{"--request-id-header", "X-Trace"}, request: get("/"), without: "X-Request-ID: ", with: "X-Trace: "},
		{setting: "request_start", args: []string{"--request-start"}, request: get("/environ/HTTP_X_REQUEST_START"), without: "None", with: "'t="},
		{setting: "spool_limit", app: "effects", args: []string{"--spool-limit", "1MiB"}, request: "POST /length HTTP/1.1\r\nContent-Length: 3145728" + end + strings.Repeat("a", 3<<20), without: "3145728", with: "503"},
		{setting: "response_memory", app: "effects", base: []string{"--spool-limit", "1MiB"}, args: []string{"--response-memory", "1MiB"}, request: get("/whole/2"), without: "200", with: "503"},
		{setting: "root_path", app: "effects:conversation", args: []string{"--root-path", "/shop"}, request: get("/root"), without: "\r\n\r\n", with: "\r\n\r\n/shop"},
		{setting: "interface", app: "effects:anything", base: []string{"--asgi-lifespan", "off"}, args: []string{"--interface", "asgi"}, request: get("/"), without: "wsgi", with: "asgi"},
		{setting: "static_fallthrough", base: static, args: []string{"--static-fallthrough"}, request: get("/s/none"), without: "404", with: "hello"},
		{setting: "static_max_age", base: static, args: []string{"--static-max-age", "77"}, request: get("/s/a.css"), without: "200", with: "max-age=77"},
		{setting: "static_immutable", base: static, args: []string{"--static-immutable", "a[.]css"}, request: get("/s/a.css"), without: "200", with: "immutable"},
		{setting: "static_dotfiles", base: static, args: []string{"--static-dotfiles"}, request: get("/s/.a"), without: "404", with: "200"},
		{setting: "ws_per_message_deflate", app: "effects:conversation", args: []string{"--ws-per-message-deflate=false"}, request: upgrade("permessage-deflate"), without: "permessage-deflate", with: "101"},
	}
}

// upgrade is a handshake of a WebSocket; the connection is closed by the test.
func upgrade(extension string) string {
	return "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: " + extension + "\r\n\r\n"
}

// prove asks with and without the setting.
func (w wire) prove(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.css", ".a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if w.app == "" {
		w.app = "plain"
	}
	before := w.answer(t, dir, w.base)
	after := w.answer(t, dir, append(w.base[:len(w.base):len(w.base)], w.args...))
	if !strings.Contains(before, w.without) {
		t.Errorf("without it: got %q, want %q in it", brief(before), w.without)
	}
	if !strings.Contains(after, w.with) {
		t.Errorf("with it: got %q, want %q in it", brief(after), w.with)
	}
	if before == after {
		t.Errorf("it makes no difference: %q", brief(after))
	}
}

// answer is what a service with these options says to the request.
func (w wire) answer(t *testing.T, dir string, args []string) string {
	t.Helper()
	var real []string
	for _, arg := range args {
		real = append(real, strings.ReplaceAll(arg, "DIR", dir))
	}
	s := serve(t, launch{app: w.app, args: real})
	s.allow("connection refused", "turned away", "not accepted", "proxy", "uwsgi")
	conn := s.dial()
	go func() { _, _ = io.WriteString(conn, w.request) }() // an answer may come before it is read
	said := readAnswer(conn)
	s.stop()
	return said
}

// readAnswer reads what a server says, up to the end of the connection or of the
// head of an upgrade.
func readAnswer(conn io.Reader) string {
	var said strings.Builder
	piece := make([]byte, 4096)
	for {
		n, err := conn.Read(piece)
		said.Write(piece[:n])
		text := said.String()
		if err != nil || strings.HasPrefix(text, "HTTP/1.1 101") && strings.Contains(text, "\r\n\r\n") {
			break
		}
	}
	text := said.String()
	if text == "" {
		return "<nothing>"
	}
	// The date differs from answer to answer and proves nothing.
	if at := strings.Index(text, "Date: "); at >= 0 {
		text = text[:at] + text[min(at+len("Date: Sat, 21 Nov 2026 08:00:00 GMT\r\n"), len(text)):]
	}
	return fmt.Sprintf("%.4000s", text)
}

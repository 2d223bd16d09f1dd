package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// behind starts Indrik with a TCP and a Unix socket, and puts their addresses
// into the text of a configuration.
func behind(t *testing.T, text string, args ...string) (s *service, filled string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.sock")
	s = serve(t, launch{app: "facts", args: args, bind: []string{"127.0.0.1:0", "unix:" + path}})
	_, tcp := s.listener(0)
	text = strings.ReplaceAll(text, "127.0.0.1:8000", tcp)
	return s, strings.ReplaceAll(text, "/run/app.sock", path)
}

// What a client sends in these fields must not reach an application as the
// truth, whichever way nginx passes it on.
var forged = []string{
	"X-Forwarded-For", "192.0.2.66", "X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "evil.example",
	"X-Forwarded-Prefix", "/evil", "X-Forwarded-Port", "6666", "Forwarded", "for=192.0.2.66;proto=gopher",
}

func TestNginxInFront(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]string{"TCP": "server 127.0.0.1:8000;", "Unix": "server unix:/run/app.sock;"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, "nginx")
			s, text := behind(t, strings.ReplaceAll(snippet(t, "nginx", 1), "server 127.0.0.1:8000;", server), "--forwarded", "x-forwarded")
			f.runNginx(text)
			web := f.client()
			for range 3 {
				told(t, "plain", f.facts(web, "http://"+f.plain+"/a%20b?c=d", "", forged...),
					"REMOTE_ADDR="+clientAddress+" wsgi.url_scheme=http HTTP_HOST=shop.example SERVER_NAME=shop.example SERVER_PORT=80 SCRIPT_NAME= QUERY_STRING=c=d RAW_URI=/a%20b?c=d")
			}
			told(t, "TLS", f.facts(web, "https://"+f.tls+"/x", strings.Repeat("b", 200<<10), forged...),
				"REMOTE_ADDR="+clientAddress+" wsgi.url_scheme=https SERVER_PORT=443 PATH_INFO=/x REQUEST_METHOD=POST body=204800")
			told(t, "prefix", f.facts(web, "https://"+f.tls+"/shop/x", "", forged...),
				"REMOTE_ADDR="+clientAddress+" SCRIPT_NAME=/shop PATH_INFO=/x")
			s.stop()
		})
	}
}

// A server in front that opens a connection for each request costs more than
// Indrik does.
func TestNginxReusesConnections(t *testing.T) {
	t.Parallel()
	f := newFront(t, "nginx")
	s, text := behind(t, snippet(t, "nginx", 1)) // X-Forwarded-For is not believed: nginx itself is seen
	f.runNginx(text)
	web := f.client()
	first := f.facts(web, "http://"+f.plain+"/", "")
	told(t, "nginx", first, "REMOTE_ADDR=127.0.0.1 wsgi.url_scheme=http")
	for _, body := range []string{"", "small", strings.Repeat("b", 300<<10), ""} {
		if again := f.facts(web, "http://"+f.plain+"/", body); again["REMOTE_PORT"] != first["REMOTE_PORT"] {
			t.Errorf("after port %s nginx came from %s: the connection was not kept", first["REMOTE_PORT"], again["REMOTE_PORT"])
		}
	}
	s.stop()
}

func TestNginxSpeaksUwsgi(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]string{"TCP": "127.0.0.1:8000;", "Unix": "unix:/run/app.sock;"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, "nginx")
			s, text := behind(t, strings.ReplaceAll(snippet(t, "nginx", 2), "127.0.0.1:8000;", server), "--protocol", "uwsgi")
			f.runNginx(strings.ReplaceAll(text, "include uwsgi_params;", "include /etc/nginx/uwsgi_params;"))
			web := f.client()
			for range 2 {
				facts := f.facts(web, "http://"+f.plain+"/a%20b/%C3%A4?c=d", "", append(forged, "X-Many-Words", "w")...)
				told(t, "plain", facts, "REMOTE_ADDR="+clientAddress+" wsgi.url_scheme=http HTTP_HOST=shop.example SCRIPT_NAME= QUERY_STRING=c=d "+
					"RAW_URI=/a%20b/%C3%A4?c=d SERVER_PROTOCOL=HTTP/1.1 HTTP_X_MANY_WORDS=w REQUEST_METHOD=GET")
				if facts["PATH_INFO"] != "/a b/\u00c3\u00a4" || facts["REMOTE_PORT"] == "" { // latin-1, as PEP 3333 wants it
					t.Errorf("PATH_INFO is %q, REMOTE_PORT %q", facts["PATH_INFO"], facts["REMOTE_PORT"])
				}
			}
			told(t, "TLS", f.facts(web, "https://"+f.tls+"/x", strings.Repeat("b", 200<<10), "Content-Type", "a/b"),
				"wsgi.url_scheme=https PATH_INFO=/x REQUEST_METHOD=POST CONTENT_TYPE=a/b CONTENT_LENGTH=204800 body=204800 HTTP_CONTENT_LENGTH- HTTP_CONTENT_TYPE-")
			s.stop()
		})
	}
}

// In TCP mode haproxy reads nothing of what it passes on, so what the fields of
// a request say is the client's own word.
func TestHAProxyAnnouncesClients(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"} {
		for name, server := range map[string]string{"TCP": "127.0.0.1:8000", "Unix": "unix@/run/app.sock"} {
			t.Run(version+"/"+name, func(t *testing.T) {
				t.Parallel()
				f := newFront(t, "haproxy")
				text := strings.ReplaceAll(snippet(t, "haproxy", 2), "127.0.0.1:8000 send-proxy-v2-ssl", server+" "+version)
				s, text := behind(t, text, "--proxy-protocol", "auto", "--forwarded", "x-forwarded")
				f.runHAProxy(text)
				web := f.client()
				first := f.facts(web, "http://"+f.plain+"/x", "", forged...)
				told(t, "plain", first, "REMOTE_ADDR="+clientAddress+" wsgi.url_scheme=http HTTP_HOST=shop.example PROXY_PROTOCOL=TCP4 PROXY_ADDR=127.0.0.1 SCRIPT_NAME=")
				for _, body := range []string{"small", strings.Repeat("b", 200<<10)} {
					again := f.facts(web, "http://"+f.plain+"/x", body)
					if again["REMOTE_PORT"] != first["REMOTE_PORT"] {
						t.Errorf("the client came from port %s, then %s: its connection was not kept", first["REMOTE_PORT"], again["REMOTE_PORT"])
					}
				}
				scheme := "http"
				if version == "send-proxy-v2-ssl" {
					scheme = "https"
				}
				told(t, "TLS", f.facts(web, "https://"+f.tls+"/x", ""), "REMOTE_ADDR="+clientAddress+" wsgi.url_scheme="+scheme)
				s.stop()
			})
		}
	}
}

// In HTTP mode it writes the fields itself.
func TestHAProxyInFront(t *testing.T) {
	t.Parallel()
	f := newFront(t, "haproxy")
	s, text := behind(t, snippet(t, "haproxy", 1), "--forwarded", "x-forwarded")
	f.runHAProxy(text)
	web := f.client()
	told(t, "plain", f.facts(web, "http://"+f.plain+"/x", "", forged...),
		"REMOTE_ADDR="+clientAddress+" wsgi.url_scheme=http HTTP_HOST=shop.example SCRIPT_NAME= SERVER_NAME=shop.example SERVER_PORT=80")
	told(t, "TLS", f.facts(web, "https://"+f.tls+"/x", "body", forged...), "REMOTE_ADDR="+clientAddress+" wsgi.url_scheme=https body=4 SERVER_PORT=443")
	s.stop()
}

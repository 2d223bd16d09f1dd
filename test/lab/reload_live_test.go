package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A request of ten seconds and a WebSocket live through a reload with another binary:
// the worker and the gateway that have them stay until they are done.
func TestWhatLastsLivesThroughAReload(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:8125"
	r := replace(t, "lasting", address, "wsgi_app = 'live:app'\nworkers = 1\ngraceful_timeout = 40\n")
	r.systemctl("start", r.socket())
	r.get("/", "code 1")
	ws := r.webSocket()
	defer ws.Close()
	answered := ws.says("one")
	if !strings.HasPrefix(answered, "one code 1 ") {
		t.Fatalf("the WebSocket says %q", answered)
	}
	type answer struct {
		body string
		err  error
	}
	long := make(chan answer, 1)
	go func() {
		body, err := r.lab.fetch(r.limit(), "tcp", address, "/long")
		long <- answer{body, err}
	}()
	r.await(r.from, said("long request begun"))
	began := time.Now()
	r.exchange(r.other())
	r.newCode()
	r.systemctl("reload", r.unit())
	r.get("/", "code 2")
	if got := ws.says("two"); got != strings.Replace(answered, "one", "two", 1) {
		t.Errorf("after the reload the WebSocket says %q, before it %q", got, answered)
	}
	if a := <-long; a.err != nil || a.body != "code 1" {
		t.Errorf("the long request got %q, %v", a.body, a.err)
	}
	if took := time.Since(began); took < 5*time.Second {
		t.Errorf("the long request was answered %v after the reload began: it was none", took)
	}
	if got := ws.says("end"); got != strings.Replace(answered, "one", "end", 1) {
		t.Errorf("at the end the WebSocket says %q, before the reload %q", got, answered)
	}
}

// webSocket is one whose messages are shorter than 126 bytes.
type webSocket struct {
	net.Conn
	r  *replaceable
	in *bufio.Reader
}

func (r *replaceable) webSocket() *webSocket {
	r.t.Helper()
	conn, err := r.lab.Dial(r.limit(), "tcp", r.address)
	r.must(err)
	r.must(conn.SetDeadline(time.Now().Add(stepLimit)))
	// The key is the example of RFC 6455.
	_, err = fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r.must(err)
	ws := &webSocket{Conn: conn, r: r, in: bufio.NewReader(conn)}
	response, err := http.ReadResponse(ws.in, nil)
	r.must(err)
	if response.StatusCode != http.StatusSwitchingProtocols {
		r.t.Fatalf("the WebSocket was answered with %s", response.Status)
	}
	return ws
}

// says sends a text and returns the answer; "" for something that is none.
func (ws *webSocket) says(words string) string {
	ws.r.t.Helper()
	frame := append([]byte{0x81, 0x80 | byte(len(words)), 0, 0, 0, 0}, words...) // masked with zeroes
	if _, err := ws.Write(frame); err != nil {
		ws.r.t.Fatalf("send to the WebSocket: %v", err)
	}
	head := make([]byte, 2)
	for {
		if _, err := io.ReadFull(ws.in, head); err != nil {
			ws.r.t.Fatalf("receive from the WebSocket: %v", err)
		}
		payload := make([]byte, head[1])
		if _, err := io.ReadFull(ws.in, payload); err != nil {
			ws.r.t.Fatalf("receive from the WebSocket: %v", err)
		}
		switch head[0] {
		case 0x81:
			return string(payload)
		case 0x89: // a ping, which may remain unanswered for so long
		default:
			return ""
		}
	}
}

package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"

	"github.com/indrik/indrik/gateway/negotiate"
	"github.com/indrik/indrik/http1"
)

const (
	htmlPage    = "text/html; charset=utf-8"
	problemPage = "application/problem+json"
)

// page is the body of a response of the gateway itself, and its type: HTML, or
// for clients that would rather have JSON the problem details of RFC 9457.
// accept is the request's Accept field.
func (a ownAnswer) page(accept, id []byte) (kind string, body []byte) {
	title := phrase(a.status)
	switch negotiate.MediaType(string(accept), "text/html", problemPage, "application/json") {
	case problemPage, "application/json":
		body, err := json.Marshal(problem{"about:blank", title, a.status, a.text, string(id)})
		if err == nil { // strings and a number always can be
			return problemPage, append(body, '\n')
		}
	}
	return htmlPage, fmt.Appendf(nil, "<!doctype html>\n<html lang=\"en\">\n<title>%d %s</title>\n<h1>%s</h1>\n<p>%s</p>\n<p>Request id: <code>%s</code></p>\n",
		a.status, title, title, html.EscapeString(a.text), html.EscapeString(string(id)))
}

// problem is RFC 9457's object, with one member of our own.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id"`
}

// phrase is the reason phrase of a status.
func phrase(status int) string {
	if p := http1.Phrase(status); p != "" {
		return p
	}
	return http.StatusText(status)
}

// appendOwnResponse appends a whole response of the gateway itself. state.id
// should be set; see gateway.identify.
func appendOwnResponse(b, date []byte, a ownAnswer, state asked) []byte {
	kind, page := a.page(state.accept, state.id)
	b = http1.AppendStatusLine(b, int(state.minor), strconv.Itoa(a.status)+" "+phrase(a.status))
	b = append(b, serverField...)
	b = append(b, date...)
	b = http1.AppendField(b, "Content-Type", kind)
	b = http1.AppendField(b, "Cache-Control", "no-store") // 404, 405, 414 and 501 could be kept (RFC 9110 section 15.1)
	if a.retryAfter {
		b = append(b, "Retry-After: 1\r\n"...)
	}
	if len(state.id) > 0 {
		b = http1.AppendField(b, state.idField(), state.id)
	}
	b = append(b, a.fields...)
	b = frame(b, headFacts{status: a.status}, state, int64(len(page)))
	if state.head {
		return b
	}
	return append(b, page...)
}

// acceptIn finds the Accept field in what was received of a request, which need
// not be lawful: it is for answering those that are not.
func acceptIn(data []byte) []byte {
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) == 0 {
			return nil
		}
		if name, value, ok := bytes.Cut(line, []byte{':'}); ok && len(name) > 0 && sameName(name, []byte("accept")) {
			return bytes.Clone(bytes.TrimSpace(value))
		}
		data = rest
	}
	return nil
}

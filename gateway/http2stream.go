package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/indrik/indrik/http1"
)

// stream is a transport that lets one stream of HTTP/2 look like a connection
// of HTTP/1.1 with one request. What is written to it must be lawful responses, as
// the exchange makes them: it takes them apart and does not look for mistakes.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	body    io.ReadCloser
	chunked bool // the request's body has no declared length
	ended   bool // its last chunk was read
	only    bool // HEAD was asked: there is a head only
	ready   []byte

	stage stage
	line  []byte // of what is not complete: a head, a chunk's size, a trailer
	left  int64  // of the body or chunk

	mu               sync.Mutex
	reading, writing watch
	over             bool // the handler has returned: control must not be used
}

func newStream(w http.ResponseWriter, q *http.Request) *stream {
	control := http.NewResponseController(w)
	return &stream{
		w: w, control: control, body: q.Body, only: q.Method == http.MethodHead,
		reading: watch{interrupt: control.SetReadDeadline},
		writing: watch{interrupt: control.SetWriteDeadline},
	}
}

// stage is where a response stands.
type stage uint8

const (
	atHead stage = iota
	inBody
	atChunk // before a chunk's size
	inChunk
	afterChunk
	inTrailer
	atEnd
)

// errSmuggled reports a name or value that would be another request in
// HTTP/1.1. net/http refuses these before; here it is a second lock.
var errSmuggled = &http1.Error{Status: 400, Reason: "line break in a request field"}

// head writes the request as HTTP/1.1, for the parser that all requests go
// through (RFC 9113 section 8.3). It lies in the memory of k.
func (t *stream) head(q *http.Request, k *kit) ([]byte, error) {
	b := append(append(k.text[:0], q.Method...), ' ')
	b = append(append(b, q.RequestURI...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, q.Host...), crlf...)
	if strings.ContainsAny(q.Method+q.RequestURI+q.Host, " \t\r\n\x00") {
		return nil, errSmuggled
	}
	names := k.names[:0]
	for name := range q.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	k.names = names
	for _, name := range names {
		switch name {
		case "Host":
			if !strings.EqualFold(q.Header.Get(name), q.Host) {
				return nil, &http1.Error{Status: 400, Reason: "Host is not the authority"}
			}
			continue
		case "Expect": // net/http asks for the body when it is read
			continue
		}
		for _, value := range q.Header[name] {
			if strings.ContainsAny(name, " :\r\n\x00") || strings.ContainsAny(value, "\r\n\x00") {
				return nil, errSmuggled
			}
			b = http1.AppendField(b, name, value)
		}
	}
	if t.chunked = q.ContentLength < 0 && len(q.Header["Content-Length"]) == 0; t.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	k.text = append(b, crlf...)
	return k.text, nil
}

// Read gives the request's body, in chunks if its length was not declared.
func (t *stream) Read(p []byte) (int, error) {
	if len(t.ready) == 0 {
		if t.ended {
			return 0, io.EOF
		}
		if !t.chunked {
			return t.readBody(p)
		}
		if err := t.readChunk(); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

func (t *stream) readChunk() error {
	const room = 8 // for the size
	data := make([]byte, room+32<<10)
	n, err := t.readBody(data[room:])
	if n > 0 {
		size := http1.AppendChunkSize(make([]byte, 0, room), int64(n))
		begin := room - len(size)
		copy(data[begin:], size)
		t.ready = append(data[begin:room+n], crlf...)
		return nil
	}
	if errors.Is(err, io.EOF) {
		t.ready, t.ended = http1.AppendLastChunk(nil), true
		return nil
	}
	return err
}

func (t *stream) readBody(p []byte) (n int, err error) {
	t.reading.begin(t)
	defer t.reading.end(t)
	return t.body.Read(p)
}

// SetReadDeadline holds for a Read under way too, and may be called beside it.
// A read that it ends is the last: net/http lets no body go on after that.
func (t *stream) SetReadDeadline(d time.Time) error { t.reading.move(t, d); return nil }

// SetWriteDeadline is for the next write.
func (t *stream) SetWriteDeadline(d time.Time) error { t.writing.move(t, d); return nil }

// watch interrupts what may block at a deadline. One that net/http itself kept
// would pass between two calls, too. Its fields are guarded by stream.mu.
type watch struct {
	interrupt func(past time.Time) error
	deadline  time.Time
	busy      bool
	timer     *time.Timer // nil before the first use
}

func (w *watch) begin(t *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.busy = true
	w.arm(t)
}

func (w *watch) end(t *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.busy = false
	w.timer.Stop()
}

func (w *watch) move(t *stream, d time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.deadline = d
	if w.busy {
		w.arm(t)
	}
}

func (w *watch) arm(t *stream) {
	if w.timer != nil {
		w.timer.Reset(time.Until(w.deadline))
		return
	}
	w.timer = time.AfterFunc(time.Until(w.deadline), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.busy && !t.over && !time.Now().Before(w.deadline) {
			_ = w.interrupt(time.Unix(1, 0)) // streams have deadlines
		}
	})
}

// close must be called before the handler returns.
func (t *stream) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// Close does nothing: the stream ends with its handler.
func (t *stream) Close() error { return nil }

// complete reports that a whole response was written.
func (t *stream) complete() bool { return t.stage == atEnd }

// Write takes a part of a response, and sends it on at once unless it was the
// last, which leaves in one frame with the end of the stream.
func (t *stream) Write(p []byte) (int, error) { return len(p), t.writePieces(p) }

func (t *stream) writePieces(pieces ...[]byte) error {
	if len(pieces) == 1 && t.stage == atHead && len(pieces[0]) <= netHTTPBuffer && !bytes.HasPrefix(pieces[0], []byte("HTTP/1.1 1")) {
		// Nothing of a final response waits for the client until it is flushed.
		if err := t.take(pieces[0]); err != nil {
			return err
		}
		if t.stage == atEnd {
			return t.control.SetWriteDeadline(t.writing.deadline)
		}
		pieces = nil
	}
	t.writing.begin(t)
	defer t.writing.end(t)
	for _, p := range pieces {
		if err := t.take(p); err != nil {
			return err
		}
	}
	switch t.stage {
	case atHead:
		return nil
	case atEnd: // what is left is written when the handler has returned
		return t.control.SetWriteDeadline(t.writing.deadline)
	}
	return t.control.Flush()
}

// sendPart reads a piece of the file and sends it.
func (t *stream) sendPart(file *os.File, offset, length int64) (int, error) {
	piece := make([]byte, min(length, 64<<10))
	n, err := file.ReadAt(piece, offset)
	if n == 0 {
		if err != nil && length > 0 {
			return 0, fmt.Errorf("read the file to send: %w", err)
		}
		return 0, nil
	}
	return n, t.writePieces(piece[:n])
}

// take acts on a part of a response.
func (t *stream) take(p []byte) error {
	for len(p) > 0 {
		switch t.stage {
		case inBody, inChunk:
			n := int(min(int64(len(p)), t.left))
			if _, err := t.w.Write(p[:n]); err != nil {
				return err
			}
			if t.left -= int64(n); t.left == 0 && t.stage == inBody {
				t.stage = atEnd
			} else if t.left == 0 {
				t.stage = afterChunk
			}
			p = p[n:]
		case atEnd:
			return nil // the body of a response to HEAD
		case atHead:
			if end := bytes.Index(p, []byte("\r\n\r\n")); end >= 0 && len(t.line) == 0 {
				t.takeHead(p[:end+len(crlfText)])
				p = p[end+2*len(crlfText):]
				continue
			}
			fallthrough
		default:
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				t.line = append(t.line, p...)
				return nil
			}
			t.line = append(t.line, p[:i+1]...)
			p = p[i+1:]
			t.takeLine()
		}
	}
	return nil
}

// takeLine acts on the line that is now whole; a head is taken when its empty
// line has come.
func (t *stream) takeLine() {
	switch t.stage {
	case atHead:
		if bytes.HasSuffix(t.line, []byte("\r\n\r\n")) {
			t.takeHead(t.line[:len(t.line)-2])
			t.line = t.line[:0]
		}
		return
	case afterChunk:
		t.stage = atChunk
	case atChunk:
		t.left, _ = strconv.ParseInt(string(bytes.TrimRight(t.line, crlfText)), 16, 64) // we wrote it
		t.stage = inChunk
		if t.left == 0 {
			t.stage = inTrailer
		}
	case inTrailer:
		name, value := splitField(string(t.line))
		if name == "" {
			t.stage = atEnd
			break
		}
		t.w.Header().Add(http.TrailerPrefix+name, value)
	}
	t.line = t.line[:0]
}

const crlfText = "\r\n"

// netHTTPBuffer is how much of a body net/http keeps until it is flushed.
const netHTTPBuffer = 4 << 10

// takeHead writes a head: status line and fields.
func (t *stream) takeHead(text []byte) {
	first, rest, _ := strings.Cut(string(text), crlfText)
	_, after, _ := strings.Cut(first, " ")
	status, _ := strconv.Atoi(after[:min(3, len(after))]) // we wrote it
	h := t.w.Header()
	length, chunked := int64(-1), false
	for line := range strings.Lines(rest) {
		name, value := splitField(line)
		switch {
		case strings.EqualFold(name, "Transfer-Encoding"):
			chunked = true
		case name == "", http1.IsHopByHop(name): // RFC 9113 section 8.2.2
		case strings.EqualFold(name, "Content-Length"):
			length, _ = strconv.ParseInt(value, 10, 64) // we wrote it
			h.Set(name, value)
		default:
			h.Add(name, value)
		}
	}
	if status < 200 {
		if status != http.StatusContinue {
			t.w.WriteHeader(status)
		}
		clear(h)
		return
	}
	if _, there := h["Content-Type"]; !there {
		h["Content-Type"] = nil // else net/http guesses one
	}
	t.w.WriteHeader(status)
	switch {
	case t.only, http1.Bodyless(status), length == 0:
		t.stage = atEnd
	case length > 0:
		t.stage, t.left = inBody, length
	case chunked:
		t.stage = atChunk
	}
}

// splitField takes a line of a head apart; the name of an empty line is empty.
func splitField(line string) (name, value string) {
	before, after, _ := strings.Cut(strings.TrimRight(line, crlfText), ": ")
	return before, after
}

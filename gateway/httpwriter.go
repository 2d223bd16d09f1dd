package gateway

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// wholeFile is up to which size a file is read and sent with the head in one
// write: for more, sendfile(2) is cheaper.
const wholeFile = 32 << 10

// httpWriter lets a handler of net/http answer the request of an exchange, in
// our own framing. A handler should declare Content-Length: the end of a
// body without one is the end of the connection.
type httpWriter struct {
	x        *exchange
	state    asked // keep is cleared when the connection cannot go on
	header   http.Header
	head     []byte // rendered and not sent yet
	status   int    // 0 until WriteHeader
	declared int64  // -1 if no length was
	size     int64  // bytes of body that were sent
	bodiless bool
}

// Header returns the fields that WriteHeader will send.
func (w *httpWriter) Header() http.Header { return w.header }

// WriteHeader fixes status and fields. They are sent with the first of the body,
// or by finish.
func (w *httpWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	w.bodiless = w.state.head || http1.Bodyless(status)
	var date dateCache
	b := http1.AppendStatusLine(make([]byte, 0, 512), int(w.state.minor), fmt.Sprintf("%d %s", status, http.StatusText(status)))
	b = append(b, serverField...)
	b = append(b, date.at(dispatch.Monotonic())...)
	if len(w.state.id) > 0 {
		w.header.Set(string(w.state.idField()), string(w.state.id))
	}
	length, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64)
	if w.declared = length; err != nil || length < 0 {
		w.declared = -1
	}
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		if name == "Content-Length" {
			continue // frame writes it
		}
		for _, value := range w.header[name] {
			if http1.ValidFieldName(name) && http1.ValidFieldValue(value) {
				b = http1.AppendField(b, name, value)
			}
		}
	}
	framing := w.state
	if w.declared < 0 && !w.bodiless {
		w.state.keep, framing = false, asked{} // of HTTP/1.0: without chunks
	}
	w.head = frame(b, headFacts{status: status, bodiless: w.bodiless}, framing, w.declared)
	w.x.remember(w.head)
}

// errTooMuch reports a handler that writes more than it declared.
var errTooMuch = errors.New("more than the declared length")

// Write sends a piece of the body.
func (w *httpWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.bodiless || len(p) == 0 {
		return len(p), nil
	}
	if w.declared >= 0 && w.size+int64(len(p)) > w.declared {
		return 0, errTooMuch
	}
	if !w.x.write(append(w.head, p...)) {
		return 0, errClientLeft
	}
	w.head = nil
	w.size += int64(len(p))
	return len(p), nil
}

// ReadFrom sends what can be read from from. A part of a file, as net/http hands
// it over, does not come into this process if it is a large one.
func (w *httpWriter) ReadFrom(from io.Reader) (int64, error) {
	part, limited := from.(*io.LimitedReader)
	if !limited {
		return io.Copy(struct{ io.Writer }{w}, from)
	}
	file, ok := part.R.(*os.File)
	if !ok || w.status == 0 || w.bodiless || w.declared < 0 || w.declared <= wholeFile {
		return io.CopyBuffer(struct{ io.Writer }{w}, from, make([]byte, min(max(part.N, 512), wholeFile)))
	}
	offset, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if len(w.head) > 0 && !w.x.write(w.head) {
		return 0, errClientLeft
	}
	w.head = nil
	n := w.x.sendFile(file, offset, min(part.N, w.declared-w.size))
	w.size += n
	if n < part.N {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// finish sends what is left. A body shorter than declared, as of a file that
// was cut while it was sent, ends the connection.
func (w *httpWriter) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(w.head) > 0 && !w.x.broken {
		w.x.write(w.head)
		w.head = nil
	}
	if !w.bodiless && w.declared > w.size {
		w.x.broken = true
	}
}

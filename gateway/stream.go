package gateway

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// respond writes the response of a reply message: a finished body, a part of a
// file, or the beginning of a stream. It returns the status and how many bytes
// of body went out. On an error nothing was written yet.
func (x *exchange) respond(a *answer, answers <-chan answer, state *asked) (status int, size int64, err error) {
	var rd dispatch.Reader
	rd.Reset(a.message)
	_, err = rd.Tuple()
	if err == nil {
		_, err = rd.Int() // the id: the loop has looked at it
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errBadReply, err)
	}
	out, facts, err := appendReplyHead(x.tools().out[:0], &rd, x.kit.date.at(dispatch.Monotonic()), *state)
	if x.kit.out = out[:0]; err != nil {
		return 0, 0, err
	}
	kind, err := rd.Kind()
	switch {
	case err != nil:
	case kind == dispatch.KindBytes:
		size, err = x.respondBytes(&rd, out, facts, state)
	case kind == dispatch.KindTuple && a.file != nil:
		size, err = x.respondFile(&rd, a.file, out, facts, state)
	case kind == dispatch.KindNone && a.file != nil:
		size, err = x.respondStream(&rd, a.file, answers, out, facts, state)
	default:
		err = fmt.Errorf("%w: body of kind %v", errBadReply, kind)
	}
	return facts.status, size, err
}

func (x *exchange) respondBytes(rd *dispatch.Reader, out []byte, facts headFacts, state *asked) (int64, error) {
	body, err := rd.Bytes()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errBadReply, err)
	}
	if facts.length >= 0 && !facts.bodiless {
		x.tellLength(facts.length, int64(len(body)))
	}
	out = appendFinished(out, facts, body, state)
	x.kit.out = out[:0]
	x.remember(out)
	x.write(out)
	return facts.sent(body), nil
}

// respondFile sends a part of a file with sendfile(2).
func (x *exchange) respondFile(rd *dispatch.Reader, file *os.File, out []byte, facts headFacts, state *asked) (int64, error) {
	n, err := rd.Tuple()
	if err == nil && n != 2 {
		err = errors.New("a part of a file is offset and length")
	}
	offset, err1 := rd.Int()
	length, err2 := rd.Int()
	if err = errors.Join(err, err1, err2); err != nil || offset < 0 || length < 0 {
		return 0, fmt.Errorf("%w: %w", errBadReply, errors.Join(err, fmt.Errorf("part of a file: %d bytes from %d", length, offset)))
	}
	declared := facts.length
	if declared < 0 {
		declared = length
	}
	if facts.bodiless {
		declared = facts.length
	}
	if declared > length && !facts.bodiless {
		state.keep = false
	}
	if facts.bodiless {
		out = frame(out, facts, *state, declared)
		x.remember(out)
		x.write(out)
		return 0, nil
	}
	x.tellLength(declared, length)
	file, offset, done, err := x.gateway.lodge(file, offset, min(length, declared))
	if err != nil {
		return 0, err
	}
	defer done()
	out = frame(out, facts, *state, declared)
	x.remember(out)
	if !x.write(out) {
		return 0, nil
	}
	sent := x.sendFile(file, offset, min(length, declared))
	if sent < min(length, declared) {
		state.keep, x.broken = false, true // the file is shorter than was said, or the client left
	}
	return sent, nil
}

// tellLength logs that a body is not as long as the application declared: the client
// gets what was declared and no more, or can tell that something is missing.
func (x *exchange) tellLength(declared, length int64) {
	if declared != length {
		x.gateway.log.Error("application declared another length", "client", string(x.conn.client), "declared", declared, "body", length)
	}
}

// sendFile copies length bytes of file from offset to the client without
// bringing them into this process.
func (x *exchange) sendFile(file *os.File, offset, length int64) (sent int64) {
	for sent < length {
		n := 0
		ok := x.send(func() (err error) {
			n, err = x.sock.sendPart(file, offset+sent, length-sent)
			return err
		})
		sent += int64(n)
		if !ok || n == 0 {
			break
		}
	}
	return sent
}

// respondStream writes a streamed body as it comes. What a slow client does not
// take is held for it (hold). When the client leaves, our end is closed and the
// worker's next write fails.
func (x *exchange) respondStream(rd *dispatch.Reader, stream *os.File, answers <-chan answer, out []byte, facts headFacts, state *asked) (int64, error) {
	err := rd.None()
	var first []byte
	if err == nil {
		first, err = rd.Bytes()
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errBadReply, err)
	}
	chunked := facts.length < 0 && state.minor >= 1 && !facts.bodiless
	if facts.length < 0 && !chunked && !facts.bodiless {
		state.keep = false // the end of the connection is the end of the body
	}
	out = frame(out, facts, *state, facts.length)
	x.remember(out)
	if facts.bodiless {
		x.write(out)
		return 0, nil
	}
	w := bodyWriter{x: x, chunked: chunked, left: facts.length}
	w.write(out, first)
	ended := make(chan answer, 1)
	go x.awaitEnd(answers, stream, ended)
	held := newHold(x.gateway, stream)
	go held.fill()
	w.copy(held)
	held.close()
	_ = stream.Close() // again by the caller, harmlessly: a worker in mid-write must learn it now
	end := <-ended
	var how outcome
	if err = end.failed; err == nil {
		how, err = readOutcome(end.message)
	}
	if w.over || how.complete && w.left > 0 {
		x.gateway.log.Error("application declared another length", "client", string(x.conn.client), "declared", facts.length, "longer", w.over)
	}
	switch {
	case x.broken:
	case errors.Is(err, errEnding):
		x.gateway.log.Error("reply refused", "error", err)
		state.keep, x.reset = false, true
	case how.complete && chunked:
		x.write(appendLastChunk(nil, how.trailers, state.trailers))
	case how.complete && facts.length >= 0 && w.left == 0:
	case how.complete && facts.length < 0:
	default: // cut short: the client must be able to tell
		state.keep, x.reset = false, true
	}
	return w.size, nil
}

// awaitEnd waits for the message that ends a stream. If there is none because
// the worker was killed, what else holds its end of the stream (a process it
// left behind) must not hold us.
func (x *exchange) awaitEnd(answers <-chan answer, stream *os.File, ended chan<- answer) {
	var end answer
	select {
	case end = <-answers:
	case <-x.left:
		x.tellLeft()
		end = <-answers
	}
	if end.failed != nil {
		_ = stream.SetReadDeadline(time.Now()) // it may be closed by now
	}
	ended <- end
}

// appendLastChunk ends a chunked body, with the trailers if the client takes
// them (RFC 9110 section 6.5).
func appendLastChunk(b []byte, trailers [][2][]byte, wanted bool) []byte {
	if !wanted || len(trailers) == 0 {
		return http1.AppendLastChunk(b)
	}
	b = append(b, "0\r\n"...)
	for _, f := range trailers {
		b = http1.AppendField(b, f[0], f[1])
	}
	return append(b, crlf...)
}

// bodyWriter writes the body of a streamed response.
type bodyWriter struct {
	x       *exchange
	chunked bool
	left    int64 // of the declared length; negative if none was declared
	size    int64
	over    bool // more came than was declared
}

// copy writes all that comes. It returns at the end of it, when the client left,
// or when more came than was declared.
func (w *bodyWriter) copy(h *hold) {
	for {
		p, more := h.next()
		if !more {
			return
		}
		w.send(p)
		h.sent(p)
		atomic.StoreInt64(&w.x.conn.moved, dispatch.Monotonic())
		if w.x.broken || w.over {
			h.giveUp()
			return
		}
	}
}

// send writes one part, as a chunk of its own if the body is chunked.
func (w *bodyWriter) send(p part) {
	length := p.length
	if w.left >= 0 {
		if length > w.left {
			length, w.over = w.left, true
		}
		w.left -= length
	}
	w.size += length
	var room [24]byte
	pieces := append(make([][]byte, 0, holdMemory/holdChunk+2), room[:0])
	if w.chunked {
		pieces[0] = http1.AppendChunkSize(room[:0], length)
	}
	if p.file != nil {
		if w.x.write(pieces[0]); w.x.sendFile(p.file, p.offset, length) < length {
			w.x.broken = true
		}
		if w.chunked {
			w.x.write(crlf)
		}
		return
	}
	for _, c := range p.chunks {
		c = c[:min(int64(len(c)), length)]
		length -= int64(len(c))
		pieces = append(pieces, c)
	}
	if w.chunked {
		pieces = append(pieces, crlf)
	}
	w.x.writev(pieces...)
}

// write sends head and data in one call; head may be empty, with room to use.
func (w *bodyWriter) write(head, data []byte) {
	if w.left >= 0 && int64(len(data)) > w.left {
		data, w.over = data[:w.left], true
	}
	if w.left >= 0 {
		w.left -= int64(len(data))
	}
	w.size += int64(len(data))
	switch {
	case len(data) == 0:
		w.x.write(head)
	case w.chunked:
		head = http1.AppendChunkSize(head, int64(len(data)))
		w.x.writev(head, data, crlf)
	default:
		w.x.writev(head, data, nil)
	}
}

var crlf = []byte("\r\n")

// writev sends the pieces with one call where the socket takes them at once.
func (x *exchange) writev(pieces ...[]byte) bool {
	return x.send(func() error { return x.sock.writePieces(pieces...) })
}

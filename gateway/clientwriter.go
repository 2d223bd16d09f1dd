package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/indrik/indrik/websocket"
)

const (
	writeStep    = 64 << 10 // bytes for which a client has its patience anew
	deflateFloor = 256      // shorter messages are not worth compressing without a window
)

// clientWriter writes frames to the client of a conversation. Several goroutines
// use it; one at a time has the turn, from enter to leave, and everything that is
// not marked otherwise is its own.
type clientWriter struct {
	sock     transport
	patience time.Duration
	deflate  *websocket.Pool // nil if compression was not agreed to
	turn     chan struct{}   // holds one while somebody has the turn

	closed bool // a close frame went out, or the client is gone: nothing follows
	packed bytes.Buffer
	sent   atomic.Int64 // bytes of messages, as the client gets them

	mu       sync.Mutex
	until    time.Time // no write may take longer; zero for no such limit. Under mu
	pinged   bool      // a ping waits for its answer. Under mu
	pingData []byte    // under mu
}

func (w *clientWriter) enter() { w.turn <- struct{}{} }

// leave gives the turn back, and answers a ping that came meanwhile.
func (w *clientWriter) leave() {
	<-w.turn
	w.answerPing()
}

// pong answers a ping now, or as soon as the frame that is being written is out.
// Only the last of several pings is answered then (RFC 6455 section 5.5.3).
func (w *clientWriter) pong(payload []byte) {
	w.mu.Lock()
	w.pinged, w.pingData = true, append(w.pingData[:0], payload...)
	w.mu.Unlock()
	w.answerPing()
}

// answerPing writes the pong that is due, if nobody has the turn: who has it
// will come by here after it.
func (w *clientWriter) answerPing() {
	for {
		w.mu.Lock()
		due := w.pinged
		w.mu.Unlock()
		if !due {
			return
		}
		select {
		case w.turn <- struct{}{}:
		default:
			return
		}
		w.mu.Lock()
		due, w.pinged = w.pinged, false
		frame := websocket.AppendFrame(nil, websocket.Pong, w.pingData)
		w.mu.Unlock()
		if due {
			w.send(frame)
		}
		<-w.turn
	}
}

// ping reports whether it sent one. In the middle of a message it does not: then
// the client's reading is the sign of life.
func (w *clientWriter) ping() bool {
	select {
	case w.turn <- struct{}{}:
	default:
		return false
	}
	defer w.leave()
	return w.send(websocket.AppendFrame(nil, websocket.Ping, nil))
}

// close sends a close frame, if none was sent yet. A message that is being
// written has closeTime to get through before it.
func (w *clientWriter) close(code int, reason string) {
	w.hurry(time.Now().Add(closeTime))
	w.enter()
	defer w.leave()
	w.send(websocket.AppendClose(nil, code, reason))
	w.closed = true
}

// abandon makes all writing fail.
func (w *clientWriter) abandon() {
	w.hurry(time.Now())
	w.enter()
	defer w.leave()
	w.closed = true
}

// hurry lets no write take longer than until, the present one included.
func (w *clientWriter) hurry(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.until.IsZero() || until.Before(w.until) {
		w.until = until
		_ = w.sock.SetWriteDeadline(until) // sockets have deadlines
	}
}

// extend gives the client its patience for the next write.
func (w *clientWriter) extend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	deadline := time.Now().Add(w.patience)
	if !w.until.IsZero() && w.until.Before(deadline) {
		deadline = w.until
	}
	_ = w.sock.SetWriteDeadline(deadline) // sockets have deadlines
}

// send writes the pieces, the parts of one frame. It reports false if they did
// not get out whole.
func (w *clientWriter) send(pieces ...[]byte) bool {
	for i := 0; i < len(pieces) && !w.closed; i++ {
		if total := len(pieces[i]); total > writeStep {
			w.sendLong(pieces[i])
			continue
		}
		// The header and a short payload leave in one call.
		n := i + 1
		for n < len(pieces) && len(pieces[n]) <= writeStep {
			n++
		}
		w.extend()
		if w.sock.writePieces(pieces[i:n]...) != nil {
			w.closed = true
		}
		i = n - 1
	}
	return !w.closed
}

func (w *clientWriter) sendLong(p []byte) {
	for len(p) > 0 && !w.closed {
		step := min(len(p), writeStep)
		w.extend()
		if _, err := w.sock.Write(p[:step]); err != nil {
			w.closed = true
		}
		p = p[step:]
	}
}

// message sends a message that is in memory; after a close frame it does nothing.
// The error is errClientLeft, or errBadReply with what is wrong.
func (w *clientWriter) message(op websocket.Opcode, data []byte) error {
	w.enter()
	defer w.leave()
	if w.closed {
		return nil // the conversation is over; the application will learn it
	}
	compressed := false
	if w.deflate != nil && len(data) >= deflateFloor {
		w.packed.Reset()
		if err := w.deflate.Deflate(&w.packed, bytes.NewReader(data)); err != nil {
			return fmt.Errorf("%w: compress: %w", errBadReply, err)
		}
		if w.packed.Len() < len(data) {
			data, compressed = w.packed.Bytes(), true
		}
	}
	head := websocket.AppendHeader(make([]byte, 0, websocket.MaxHeader), op, true, compressed, int64(len(data)))
	sent := w.send(head, data)
	if w.packed.Cap() > keepBuffer {
		w.packed = bytes.Buffer{}
	}
	if !sent {
		return errClientLeft
	}
	w.sent.Add(int64(len(data)))
	return nil
}

// file sends a message that came as a file, as one frame, without bringing it
// into this process. The file stays the caller's.
func (w *clientWriter) file(op websocket.Opcode, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", errBadReply, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: a message in %v", errBadReply, info.Mode())
	}
	size := info.Size()
	w.enter()
	defer w.leave()
	if w.closed {
		return nil
	}
	compressed := false
	if w.deflate != nil {
		packed, length, err := w.pack(file, size)
		if err != nil {
			return fmt.Errorf("%w: compress: %w", errBadReply, err)
		}
		defer packed.Close()
		if length < size {
			file, size, compressed = packed, length, true
		}
	}
	return w.sendFile(websocket.AppendHeader(nil, op, true, compressed, size), file, size)
}

// pack compresses a file into another, so that its length is known before its
// first byte leaves, and no compressor waits for a client.
func (w *clientWriter) pack(file *os.File, size int64) (*os.File, int64, error) {
	packed, err := memoryFile("indrik-packed")
	if err != nil {
		return nil, 0, err
	}
	buffered := bufio.NewWriterSize(packed, writeStep)
	err = w.deflate.Deflate(buffered, io.NewSectionReader(file, 0, size))
	if err == nil {
		err = buffered.Flush()
	}
	length := int64(0)
	if err == nil {
		length, err = packed.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		_ = packed.Close() // nobody will read it
		return nil, 0, err
	}
	return packed, length, nil
}

func (w *clientWriter) sendFile(head []byte, file *os.File, size int64) error {
	if !w.send(head) {
		return errClientLeft
	}
	for at := int64(0); at < size; {
		w.extend()
		n, err := w.sock.sendPart(file, at, size-at)
		at += int64(n)
		if err != nil || n == 0 {
			w.closed = true // in the middle of a frame nothing else can be said
			return errClientLeft
		}
	}
	w.sent.Add(size)
	return nil
}

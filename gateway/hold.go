package gateway

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	holdChunk  = 64 << 10
	holdMemory = 256 << 10 // of one response; what is held beyond goes into a file
	// holdPause is how long the memory may be full before a file is begun: a
	// client that empties it sooner is faster than a disk.
	holdPause = 20 * time.Millisecond
)

// hold is what the gateway has of a streamed response and its client has not
// taken yet. The worker's stream is read on one goroutine (fill), as fast as the
// worker writes, so that a slow client holds no worker; the exchange's goroutine
// writes to the client (next, sent). Memory first, then a spool file; when that
// is full too, the stream is left unread until the client has taken all: that
// is the back-pressure.
type hold struct {
	gateway *gateway
	stream  *os.File
	limit   int64 // of what is held

	more chan struct{} // the filler put something, or ended
	room chan struct{} // the writer took something, or gave up

	mu       sync.Mutex
	chunks   [][]byte // come before what is in the file
	memory   int      // bytes of their buffers
	file     *os.File
	reserved reservation
	read     int64 // of the file
	written  int64
	ended    bool // nothing more comes
	over     bool // nobody takes anything any more
}

func newHold(g *gateway, stream *os.File) *hold {
	return &hold{
		gateway: g, stream: stream, limit: g.config.ResponseBuffering, reserved: reservation{of: g.spooled},
		more: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
}

// signal wakes the one that waits on c, now or the next time.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fill reads the stream to its end, or until nobody wants more.
func (h *hold) fill() {
	defer func() {
		h.mu.Lock()
		h.ended = true
		h.mu.Unlock()
		signal(h.more)
	}()
	raw, err := h.stream.SyscallConn()
	if err != nil {
		return // closed before it began
	}
	for {
		// A stream that is silent for long must not hold a buffer meanwhile.
		var p []byte
		n, errno := 0, error(nil)
		err := raw.Read(func(fd uintptr) bool {
			p = h.gateway.buffer()
			n, errno = unix.Read(int(fd), p)
			if errno == unix.EAGAIN || errno == unix.EINTR {
				h.gateway.recycle(p)
				return false
			}
			return true
		})
		if err = errors.Join(err, errno); err != nil || n == 0 {
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) {
				h.gateway.log.Error("stream could not be read", "error", err)
			}
			return
		}
		if !h.put(p[:n]) {
			return
		}
	}
}

// put adds a piece and takes its memory over. It waits while too much is held,
// and reports false if nobody takes anything any more.
func (h *hold) put(p []byte) bool {
	var pause <-chan time.Time
	for patient := true; ; {
		h.mu.Lock()
		done, alive := h.store(p, patient), !h.over
		h.mu.Unlock()
		if done || !alive {
			signal(h.more)
			return alive
		}
		if patient && pause == nil {
			timer := time.NewTimer(holdPause)
			defer timer.Stop() // once: pause is set now
			pause = timer.C
		}
		select {
		case <-h.room:
		case <-pause:
			patient, pause = false, nil
		}
	}
}

// store puts p where it belongs. It reports false if there is no place: while
// patient is set none in memory, and then also none in the file.
func (h *hold) store(p []byte, patient bool) bool {
	if h.read == h.written { // else what is in the file comes first
		if last := len(h.chunks) - 1; last >= 0 && len(p) <= cap(h.chunks[last])-len(h.chunks[last]) {
			h.chunks[last] = append(h.chunks[last], p...)
			h.gateway.recycle(p)
			return true
		}
		if h.memory == 0 || h.memory+holdChunk <= holdMemory && int64(h.memory+holdChunk) <= h.limit {
			h.chunks, h.memory = append(h.chunks, p), h.memory+holdChunk
			return true
		}
		if patient {
			return false
		}
	}
	if h.written+int64(len(p))+int64(h.memory) > h.limit || !h.spill(p) {
		return false
	}
	h.gateway.recycle(p)
	return true
}

// spill appends p to the file. If that cannot be, the client's pace is the
// worker's, and nothing worse.
func (h *hold) spill(p []byte) bool {
	if !h.reserved.add(int64(len(p))) {
		return false
	}
	if h.file == nil {
		file, err := openSpool(h.gateway.config.spoolDir())
		if err != nil {
			h.gateway.log.Warn("response could not be stored for a slow client", "error", err)
			h.limit = 0
			return false
		}
		h.file = file
	}
	if _, err := h.file.WriteAt(p, h.written); err != nil { // what it wrote is written over or cut off
		h.gateway.log.Warn("response could not be stored for a slow client", "error", err)
		h.limit = 0
		return false
	}
	h.written += int64(len(p))
	return true
}

// part is what the writer is to send next: pieces of memory, or a part of the
// file.
type part struct {
	chunks         [][]byte
	file           *os.File
	offset, length int64
}

// next waits for something to send. It reports false at the end.
func (h *hold) next() (part, bool) {
	for {
		h.mu.Lock()
		switch {
		case len(h.chunks) > 0:
			// Half of what there may be, so that the other half can be filled
			// meanwhile.
			n := min(len(h.chunks), holdMemory/holdChunk/2)
			p := part{chunks: h.chunks[:n:n]}
			h.chunks = h.chunks[n:]
			for _, c := range p.chunks {
				p.length += int64(len(c))
			}
			h.mu.Unlock()
			return p, true
		case h.read < h.written:
			p := part{file: h.file, offset: h.read, length: min(h.written-h.read, sendStep)}
			h.mu.Unlock()
			return p, true
		case h.ended:
			h.mu.Unlock()
			return part{}, false
		}
		h.mu.Unlock()
		<-h.more
	}
}

// sent says that the last part went out.
func (h *hold) sent(p part) {
	h.mu.Lock()
	for _, c := range p.chunks {
		h.memory -= holdChunk
		h.gateway.recycle(c)
	}
	if p.file != nil {
		if h.read += p.length; h.read == h.written {
			h.read, h.written = 0, 0
			_ = h.file.Truncate(0) // else it is written over
			h.reserved.release()
		}
	}
	h.mu.Unlock()
	signal(h.room)
}

// giveUp ends the filling and frees what is held: nobody will take it. The
// worker's next write fails.
func (h *hold) giveUp() {
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	signal(h.room)
	_ = h.stream.SetReadDeadline(time.Now()) // wakes fill; it may be closed
}

// close frees the file. Only after fill has ended.
func (h *hold) close() {
	for {
		h.mu.Lock()
		ended := h.ended
		h.mu.Unlock()
		if ended {
			break
		}
		<-h.more
	}
	h.reserved.release()
	if h.file != nil {
		_ = h.file.Close() // it has no name; nothing to lose
	}
}

// buffer returns holdChunk bytes of memory.
func (g *gateway) buffer() []byte {
	if p, ok := g.buffers.Get().(*[holdChunk]byte); ok {
		return p[:]
	}
	return new([holdChunk]byte)[:]
}

// recycle takes memory of buffer back.
func (g *gateway) recycle(p []byte) {
	g.buffers.Put((*[holdChunk]byte)(p[:holdChunk]))
}

package gateway

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"testing"
)

// written keeps what is written.
type written struct {
	net.Conn
	buffer bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) { return w.buffer.Write(p) }

// The announcement stands between two frames wherever the writer was when it
// came: not before the first, not inside one, not between headers and what
// continues them.
func TestAnnouncementStandsBetweenFrames(t *testing.T) {
	var frames []byte
	begins := map[int]bool{} // where another frame may stand
	for _, f := range []struct {
		kind, flags byte
		payload     string
		last        bool // nothing of this frame's headers follows
	}{
		{frameSettings, 0, "", true},
		{frameHeaders, endHeaders, "abc", true},
		{frameHeaders, 0, "abcdef", false},
		{frameContinuation, 0, "x", false},
		{frameContinuation, endHeaders, "", true},
		{frameData, endStream, strings.Repeat("d", 300), true},
	} {
		frames = appendFrame(frames, f.kind, f.flags, 1, f.payload)
		if f.last {
			begins[len(frames)] = true
		}
	}
	announcement := appendGoAway(nil)
	for size := 1; size < 40; size += 3 { // of each write
		for at := 0; at <= len(frames); at += size { // when it comes
			w := &written{}
			c := &graceful{Conn: w}
			for from := 0; from < len(frames); from += size {
				if from == at {
					c.announce()
				}
				p := frames[from:min(from+size, len(frames))]
				if n, err := c.Write(p); n != len(p) || err != nil {
					t.Fatalf("write: %d, %v", n, err)
				}
			}
			got := w.buffer.Bytes()
			found := bytes.Index(got, announcement)
			if at >= len(frames) {
				continue // it was never asked for
			}
			if found < at || !begins[found] {
				t.Fatalf("asked for at %d of pieces of %d it stands at %d", at, size, found)
			}
			if rest := bytes.Replace(got, announcement, nil, 1); !bytes.Equal(rest, frames) {
				t.Fatalf("asked for at %d the frames are changed", at)
			}
		}
	}
}

// What a client asks while the news of the drain is on its way is answered.
func TestDrainAnswersWhatCrossesIt(t *testing.T) {
	g := newRig(t, func(c *Config) { c.HTTP2.Cleartext = true })
	g.hire(0, text("hello"))
	f := g.frames().greet()
	f.headers(1, "/")
	answered := func(stream uint32) {
		t.Helper()
		for {
			kind, on, payload := f.frame()
			if kind == frameData && on == stream && string(payload) == "hello" {
				return
			}
		}
	}
	goAway := func() (last uint32) {
		t.Helper()
		for {
			if kind, _, payload := f.frame(); kind == frameGoAway {
				return binary.BigEndian.Uint32(payload)
			}
		}
	}
	answered(1)
	check(t, g.master.Send(DrainOrder(0)))
	if last := goAway(); last != 1<<31-1 {
		t.Errorf("the first GOAWAY excludes streams after %d", last)
	}
	f.headers(3, "/") // as if it had been under way
	answered(3)
	if last := goAway(); last != 3 {
		t.Errorf("the second GOAWAY names stream %d, want 3", last)
	}
	g.expect(FactDrained)
}

package websocket

import (
	"bytes"
	"compress/flate"
	"testing"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clientFrame is a masked frame as a client sends it. first is its first byte:
// flags and opcode.
func clientFrame(first byte, payload string) []byte {
	b := AppendHeader(nil, 0, false, false, int64(len(payload)))
	b[0] = first
	b[1] |= maskBit
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	at := len(b)
	b = append(b, payload...)
	Unmask(b[at:], mask, 0)
	return b
}

// deflated is a text as a client compresses it (RFC 7692 section 7.2.1).
func deflated(t testing.TB, text string) string {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, 9)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(text)) // to memory
	_ = w.Flush()
	return string(bytes.TrimSuffix(out.Bytes(), []byte(trimmed)))
}

// join makes one stream of frames.
func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

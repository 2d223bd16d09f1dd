package http1

import (
	"testing"
	"time"
)

// BenchmarkAppendHead writes the head of an ordinary response.
func BenchmarkAppendHead(b *testing.B) {
	room, now := make([]byte, 0, 512), time.Unix(1_700_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		head := AppendStatusLine(room, 1, "200 OK")
		head = AppendField(head, "Content-Type", "text/html; charset=utf-8")
		head = AppendField(head, "Content-Length", "5120")
		head = append(AppendDate(append(head, "Date: "...), now), "\r\n\r\n"...)
		if len(head) < 64 {
			b.Fatalf("head of %d bytes", len(head))
		}
	}
}

// BenchmarkPercentDecode decodes a path as PATH_INFO needs it.
func BenchmarkPercentDecode(b *testing.B) {
	room, path := make([]byte, 0, 128), []byte("/articles/2026/caf%C3%A9%20and%20other%20places/comments")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendPercentDecoded(room, path); err != nil {
			b.Fatal(err)
		}
	}
}

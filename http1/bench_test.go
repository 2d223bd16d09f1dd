package http1

import (
	"strings"
	"testing"
)

// browserHead is what a browser sends: 12 fields, 640 bytes.
const browserHead = "GET /static/css/app.css?v=20240131 HTTP/1.1\r\n" +
	"Host: shop.example.org:8000\r\n" +
	"Connection: keep-alive\r\n" +
	"Cache-Control: max-age=0\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Referer: http://shop.example.org:8000/basket/items?page=2\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=4d1f0c8ab97e1f20; theme=dark\r\n\r\n"

const wrkHead = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"

func benchmarkParse(b *testing.B, text string) {
	lim := DefaultLimits()
	buf := []byte(text)
	var h Head
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := h.Parse(buf, &lim); !ok {
			b.Fatalf("parse: %v, %v", ok, err)
		}
	}
}

func BenchmarkParseBrowser(b *testing.B) { benchmarkParse(b, browserHead) }
func BenchmarkParseWrk(b *testing.B)     { benchmarkParse(b, wrkHead) }

// BenchmarkParseTrickled costs the sum of all calls for a 60 KiB head that
// comes byte by byte; a parser that starts again each time takes seconds.
func BenchmarkParseTrickled(b *testing.B) {
	lim := DefaultLimits()
	buf := []byte("GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Long: "+strings.Repeat("v", 8000)+"\r\n", 7) + "\r\n")
	var h Head
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		for n := 1; n <= len(buf); n++ {
			if ok, err := h.Parse(buf[:n], &lim); err != nil || ok != (n == len(buf)) {
				b.Fatalf("%d bytes: %v, %v", n, ok, err)
			}
		}
	}
}

func BenchmarkDecodeChunked(b *testing.B) {
	body := AppendLastChunk([]byte(strings.Repeat("1000\r\n"+strings.Repeat("d", 4096)+"\r\n", 16)))
	dst := make([]byte, len(body))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var c Chunked
		if _, _, done, err := c.Decode(dst, body); !done {
			b.Fatal(err)
		}
	}
}

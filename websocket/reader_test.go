package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	fin  = 0x80
	rsv1 = 0x40
)

// story is what a Reader made of a stream, in words: each message, ping and pong,
// and how it ended.
func story(in io.Reader, limit int64, pool *Pool) string {
	var told []string
	say := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	r := NewReader(in, limit, pool, func(op Opcode, p []byte) error {
		say("%s %q", map[Opcode]string{Ping: "ping", Pong: "pong"}[op], p)
		return nil
	})
	for {
		kind, err := r.Next()
		var content []byte
		if err == nil {
			content, err = io.ReadAll(r)
		}
		var broken *Error
		var closed *Closed
		switch {
		case err == nil && len(content) > 40:
			say("%s of %d", map[Opcode]string{Text: "text", Binary: "bytes"}[kind], len(content))
			continue
		case err == nil:
			say("%s %q", map[Opcode]string{Text: "text", Binary: "bytes"}[kind], content)
			continue
		case errors.As(err, &broken):
			say("fails %d", broken.Code)
		case errors.As(err, &closed):
			say("closed %d %q", closed.Code, closed.Reason)
		case err == io.EOF:
			say("end")
		default:
			say("%v", err)
		}
		return strings.Join(told, ", ")
	}
}

// streamCase is what a client sends, and what a Reader makes of it.
type streamCase struct {
	name   string
	stream []byte
	want   string
}

func messages() []streamCase {
	return []streamCase{
		{"1.1.1 empty text", clientFrame(fin|1, ""), `text "", end`},
		{"1.1.2 text of 125", clientFrame(fin|1, strings.Repeat("*", 125)), "text of 125, end"},
		{"1.1.3 text of 126", clientFrame(fin|1, strings.Repeat("*", 126)), "text of 126, end"},
		{"1.1.6 text of 65535", clientFrame(fin|1, strings.Repeat("*", 65535)), "text of 65535, end"},
		{"1.1.7 text of 65536", clientFrame(fin|1, strings.Repeat("*", 65536)), "text of 65536, end"},
		{"1.2.1 empty bytes", clientFrame(fin|2, ""), `bytes "", end`},
		{"1.2.4 bytes", clientFrame(fin|2, "\xfe\xff"), `bytes "\xfe\xff", end`},
		{"2.2 ping", clientFrame(fin|9, "Hello"), `ping "Hello", end`},
		{"2.4 ping of 125", clientFrame(fin|9, strings.Repeat("\xfe", 125)), fmt.Sprintf("ping %q, end", strings.Repeat("\xfe", 125))},
		{"2.5 ping of 126", clientFrame(fin|9, strings.Repeat("\xfe", 126)), "fails 1002"},
		{"2.7 unasked pong", clientFrame(fin|10, ""), `pong "", end`},
		{"3.1 rsv 1", clientFrame(fin|0x10|1, "x"), "fails 1002"},
		{"3.2 rsv 2 after a message", join(clientFrame(fin|1, "a"), clientFrame(fin|0x20|1, "x")), `text "a", fails 1002`},
		{"3.4 rsv 4 without the extension", clientFrame(fin|rsv1|1, "x"), "fails 1002"},
		{"3.5 reserved bits in a ping", clientFrame(fin|0x50|9, "x"), "fails 1002"},
		{"4.1.1 opcode 3", clientFrame(fin|3, ""), "fails 1002"},
		{"4.1.2 opcode 4", clientFrame(fin|7, "x"), "fails 1002"},
		{"4.2.1 opcode 11", clientFrame(fin|11, ""), "fails 1002"},
		{"4.2.5 opcode 15", join(clientFrame(fin|1, "a"), clientFrame(fin|15, "")), `text "a", fails 1002`},
		{"5.1 fragmented ping", join(clientFrame(9, "a"), clientFrame(fin, "b")), "fails 1002"},
		{"5.3 two fragments", join(clientFrame(1, "a"), clientFrame(fin, "b")), `text "ab", end`},
		{"5.6 ping between fragments", join(clientFrame(1, "a"), clientFrame(fin|9, "p"), clientFrame(fin, "b")), `ping "p", text "ab", end`},
		{"5.9 continuation of nothing", clientFrame(fin, "x"), "fails 1002"},
		{"5.12 continuation of nothing, not last", join(clientFrame(0, "x"), clientFrame(fin|1, "y")), "fails 1002"},
		{"5.15 continuation after a whole message", join(clientFrame(1, "a"), clientFrame(fin, "b"), clientFrame(0, "c")), `text "ab", fails 1002`},
		{"5.18 text in a text", join(clientFrame(1, "a"), clientFrame(fin|1, "b")), "fails 1002"},
		{"6.1.3 empty fragments", join(clientFrame(1, ""), clientFrame(0, "m"), clientFrame(fin, "")), `text "m", end`},
		{"6.2.2 UTF-8", clientFrame(fin|1, "Hello-µ@ßöäü"), fmt.Sprintf("text %q, end", "Hello-µ@ßöäü")},
		{"6.2.4 a character in two fragments", join(clientFrame(1, "\xce"), clientFrame(fin, "\xba")), `text "κ", end`},
		{"6.3.1 invalid UTF-8", clientFrame(fin|1, "\xce\xba\xed\xa0\x80x"), "fails 1007"},
		{"6.4.1 fails at once", join(clientFrame(1, "\xce\xba\xf4\x90"), clientFrame(0, "never")[:3]), "fails 1007"},
		{"6.6 cut character", clientFrame(fin|1, "\xf0\x9f\x98"), "fails 1007"},
		{"6.22 non-characters are characters", clientFrame(fin|1, "\xef\xbf\xbe"), "text \"\\ufffe\", end"},
	}
}

func closes() []streamCase {
	return []streamCase{
		{"7.1.1 close", join(clientFrame(fin|1, "a"), clientFrame(fin|8, "\x03\xe8")), `text "a", closed 1000 ""`},
		{"7.1.4 what follows a close", join(clientFrame(fin|8, "\x03\xe8"), clientFrame(fin|1, "a")), `closed 1000 ""`},
		{"7.1.5 close in a message", join(clientFrame(1, "a"), clientFrame(fin|8, "\x03\xe8")), `closed 1000 ""`},
		{"7.3.1 close without a code", clientFrame(fin|8, ""), `closed 1005 ""`},
		{"7.3.2 half a code", clientFrame(fin|8, "a"), "fails 1002"},
		{"7.3.4 reason", clientFrame(fin|8, "\x03\xe8Hello"), `closed 1000 "Hello"`},
		{"7.3.6 reason too long", clientFrame(fin|8, "\x03\xe8"+strings.Repeat("*", 124)), "fails 1002"},
		{"7.5.1 reason is no UTF-8", clientFrame(fin|8, "\x03\xe8\xed\xa0\x80"), "fails 1007"},
		{"7.7.13 private code", clientFrame(fin|8, "\x0f\xa0"), `closed 4000 ""`},
		{"7.9.1 code 0", clientFrame(fin|8, "\x00\x00"), "fails 1002"},
		{"7.9.3 code 1004", clientFrame(fin|8, "\x03\xec"), "fails 1002"},
		{"7.9.4 code 1005", clientFrame(fin|8, "\x03\xed"), "fails 1002"},
		{"7.9.5 code 1006", clientFrame(fin|8, "\x03\xee"), "fails 1002"},
		{"7.9.9 code 2999", clientFrame(fin|8, "\x0b\xb7"), "fails 1002"},
	}
}

func breaches() []streamCase {
	return []streamCase{
		{"no mask", AppendFrame(nil, Text, []byte("x")), "fails 1002"},
		{"no mask, close", AppendFrame(nil, Close, nil), "fails 1002"},
		{"length not in its shortest form", []byte{fin | 1, maskBit | length16, 0, 1, 0, 0, 0, 0, 'x'}, "fails 1002"},
		{"negative length", []byte{fin | 1, maskBit | length64, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, "fails 1002"},
		{"a terabyte is told before it is sent", []byte{fin | 2, maskBit | length64, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "fails 1009"},
		{"over the limit", clientFrame(fin|2, strings.Repeat("x", 100_001)), "fails 1009"},
		{"over the limit in fragments", join(clientFrame(2, strings.Repeat("x", 60_000)), clientFrame(fin, strings.Repeat("x", 60_000))), "fails 1009"},
		{"at the limit", clientFrame(fin|2, strings.Repeat("x", 100_000)), "bytes of 100000, end"},
		{"cut in a header", clientFrame(fin|1, "abc")[:1], "end"},
		{"cut in a payload", clientFrame(fin|1, "abc")[:8], "unexpected EOF"},
		{"cut between fragments", clientFrame(1, "abc"), "unexpected EOF"},
	}
}

// The cases of RFC 6455 and of the Autobahn test suite (its numbers in the names)
// that are about what a client sends. Each stream is read whole, and byte by byte.
func TestStreams(t *testing.T) {
	for _, c := range slices.Concat(messages(), closes(), breaches()) {
		for _, how := range []io.Reader{bytes.NewReader(c.stream), iotest.OneByteReader(bytes.NewReader(c.stream))} {
			got := story(how, 100_000, nil)
			if got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
		}
	}
}

// Compressed messages (RFC 7692 section 7.2.3 has the samples).
func TestCompressedStreams(t *testing.T) {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	long := deflated(t, strings.Repeat("compress me ", 1000))
	bomb := deflated(t, strings.Repeat("0", 10<<20))
	for _, c := range []streamCase{
		{"one frame", clientFrame(fin|rsv1|1, hello), `text "Hello", end`},
		{"two fragments", join(clientFrame(rsv1|1, hello[:3]), clientFrame(fin, hello[3:])), `text "Hello", end`},
		{"ping between fragments", join(clientFrame(rsv1|1, hello[:3]), clientFrame(fin|9, ""), clientFrame(fin, hello[3:])), `ping "", text "Hello", end`},
		{"no compression block", clientFrame(fin|rsv1|1, "\x00\x05\x00\xfa\xffHello\x00"), `text "Hello", end`},
		{"final block", clientFrame(fin|rsv1|1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), `text "Hello", end`},
		{"two blocks", clientFrame(fin|rsv1|1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), `text "Hello", end`},
		{"many in turn", join(clientFrame(fin|rsv1|1, hello), clientFrame(fin|1, "plain"), clientFrame(fin|rsv1|2, long), clientFrame(fin|rsv1|1, hello)),
			`text "Hello", text "plain", bytes of 12000, text "Hello", end`},
		{"empty", clientFrame(fin|rsv1|1, "\x00"), `text "", end`},
		{"bit on a continuation", join(clientFrame(rsv1|1, hello[:3]), clientFrame(fin|rsv1, hello[3:])), "fails 1002"},
		{"bit on a ping", clientFrame(fin|rsv1|9, ""), "fails 1002"},
		{"damaged", clientFrame(fin|rsv1|1, "\xff\xff\xff\xff"), "fails 1007"},
		{"cut", clientFrame(fin|rsv1|1, "\xf2\x48"), "fails 1007"},
		{"not UTF-8 inside", clientFrame(fin|rsv1|1, deflated(t, "\xed\xa0\x80")), "fails 1007"},
		{"bomb", clientFrame(fin|rsv1|2, bomb), "fails 1009"},
		{"connection cut", clientFrame(fin|rsv1|1, hello)[:9], "unexpected EOF"},
		{"close inside", join(clientFrame(rsv1|1, hello[:3]), clientFrame(fin|8, "")), `closed 1005 ""`},
	} {
		pool := new(Pool)
		for _, how := range []io.Reader{bytes.NewReader(c.stream), iotest.OneByteReader(bytes.NewReader(c.stream))} {
			if got := story(how, 100_000, pool); got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
		}
	}
}

// Whatever comes, nothing panics, no message is longer than the limit, and pieces
// of any size give the same as the whole.
func FuzzReader(f *testing.F) {
	f.Add(join(clientFrame(fin|1, "a"), clientFrame(fin|8, "\x03\xe8")))
	f.Add(join(clientFrame(1, "\xce"), clientFrame(fin|9, ""), clientFrame(fin, "\xba")))
	f.Add(clientFrame(fin|rsv1|1, deflated(f, "Hello Hello Hello")))
	f.Add(clientFrame(fin|rsv1|1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		pool := new(Pool)
		whole := story(bytes.NewReader(stream), 1000, pool)
		parts := story(iotest.OneByteReader(bytes.NewReader(stream)), 1000, pool)
		if whole != parts {
			t.Errorf("whole: %s\nbyte by byte: %s", whole, parts)
		}
	})
}

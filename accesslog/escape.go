package accesslog

import (
	"unicode/utf16"
	"unicode/utf8"
)

const digits = "0123456789abcdef"

// escape appends v so that it is printable ASCII and holds no quote that is not
// escaped.
func (f *Format) escape(b, v []byte) []byte {
	if f.json {
		return escapeJSON(b, v)
	}
	start := 0
	for i, c := range v {
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			continue
		}
		b = append(b, v[start:i]...)
		start = i + 1
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		}
	}
	return append(b, v[start:]...)
}

// escapeJSON does it for a string of RFC 8259. UTF-8 becomes its code points;
// a byte that is none counts as latin-1.
func escapeJSON(b, v []byte) []byte {
	for len(v) > 0 {
		c := v[0]
		switch {
		case c == '"' || c == '\\':
			b, v = append(b, '\\', c), v[1:]
		case c >= 0x20 && c < 0x7f:
			b, v = append(b, c), v[1:]
		default:
			r, n := utf8.DecodeRune(v)
			if r == utf8.RuneError && n == 1 {
				r = rune(c)
			}
			b, v = appendRune(b, r), v[n:]
		}
	}
	return b
}

func appendRune(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendRune(appendRune(b, high), low)
	}
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

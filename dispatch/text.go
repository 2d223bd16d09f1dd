package dispatch

import "unicode/utf8"

// validText reports whether v is UTF-8 in which lone surrogates may occur.
func validText(v []byte) bool {
	for !utf8.Valid(v) {
		i := 0
		for { // go to the first byte that is not UTF-8
			c, size := utf8.DecodeRune(v[i:])
			if c == utf8.RuneError && size == 1 {
				break
			}
			i += size
		}
		if !isSurrogate(v[i:]) {
			return false
		}
		v = v[i+3:]
	}
	return true
}

// isSurrogate reports whether v begins with U+D800 … U+DFFF in three bytes.
func isSurrogate(v []byte) bool {
	return len(v) >= 3 && v[0] == 0xed && v[1] >= 0xa0 && v[1] <= 0xbf && v[2] >= 0x80 && v[2] <= 0xbf
}

// isASCII goes eight bytes at a time; the compiler makes one load of each eight.
func isASCII[T ~string | ~[]byte](v T) bool {
	i := 0
	for ; i+8 <= len(v); i += 8 {
		word := uint64(v[i]) | uint64(v[i+1])<<8 | uint64(v[i+2])<<16 | uint64(v[i+3])<<24 |
			uint64(v[i+4])<<32 | uint64(v[i+5])<<40 | uint64(v[i+6])<<48 | uint64(v[i+7])<<56
		if word&0x8080808080808080 != 0 {
			return false
		}
	}
	for ; i < len(v); i++ {
		if v[i] >= 0x80 {
			return false
		}
	}
	return true
}

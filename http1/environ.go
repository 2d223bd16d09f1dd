package http1

import "bytes"

// AppendPercentDecoded appends path with its percent-encoded bytes decoded:
// PATH_INFO of a WSGI environ (PEP 3333), still to be read as latin-1. A '%'
// that two hexadecimal digits do not follow stays as it is, as it does with
// urllib and so with Gunicorn; '+' is not a space in a path.
//
// %00 is refused with an [*Error] of status 400, as nginx does: it has no use
// in a path, and what opens files or runs programs by it cuts the path there.
// dst is returned unchanged then. dst and path must not overlap.
func AppendPercentDecoded(dst, path []byte) ([]byte, error) {
	begin := len(dst)
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return append(dst, path...), nil
		}
		if len(path) < i+3 || class[path[i+1]]&class[path[i+2]]&isHex == 0 {
			dst = append(dst, path[:i+1]...)
			path = path[i+1:]
			continue
		}
		c := hexValue(path[i+1])<<4 | hexValue(path[i+2])
		if c == 0 {
			return dst[:begin], refuse(400, "encoded NUL in the path")
		}
		dst = append(dst, path[:i]...)
		dst = append(dst, c)
		path = path[i+3:]
	}
}

// AppendEnvName appends the environ key of a field: HTTP_ and the name in upper
// case with '_' for '-' (RFC 3875 §4.1.18). Content-Type and Content-Length,
// whose keys have no HTTP_, are the caller's to tell apart; so are names with
// an underscore, which would get the key of the name with a dash and let a
// client forge what a proxy sets: see [HasUnderscore].
func AppendEnvName(dst, name []byte) []byte {
	dst = append(dst, "HTTP_"...)
	for _, c := range name {
		dst = append(dst, envByte[c])
	}
	return dst
}

// HasUnderscore reports whether a field name would take the environ key of
// another one. Gunicorn drops such fields by default (header_map).
func HasUnderscore(name []byte) bool { return bytes.IndexByte(name, '_') >= 0 }

// SameEnvName reports whether two field names get the same environ key.
func SameEnvName(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range b {
		if a[i] != b[i] && envByte[a[i]] != envByte[b[i]] {
			return false
		}
	}
	return true
}

// envByte is written once, here, and only read afterwards.
var envByte = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = byte(c - 'a' + 'A')
	}
	t['-'] = '_'
	return t
}()

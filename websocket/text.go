package websocket

import "unicode/utf8"

// text checks UTF-8 that comes in pieces. A character may be cut between two
// pieces; the bytes of its first part are kept.
type text struct {
	cut  [utf8.UTFMax]byte
	kept int
}

// add reports whether all bytes so far can be the beginning of valid UTF-8.
func (t *text) add(p []byte) bool {
	for t.kept > 0 && len(p) > 0 {
		t.cut[t.kept] = p[0]
		t.kept++
		p = p[1:]
		if !utf8.FullRune(t.cut[:t.kept]) { // a wrong beginning counts as full
			continue
		}
		if !utf8.Valid(t.cut[:t.kept]) {
			return false
		}
		t.kept = 0
	}
	if end := whole(p); end < len(p) {
		t.kept = copy(t.cut[:], p[end:])
		p = p[:end]
	}
	return utf8.Valid(p)
}

// whole returns how many bytes of p come before a last character that is cut off.
func whole(p []byte) int {
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if utf8.FullRune(p[i:]) {
				return len(p)
			}
			return i
		}
	}
	return len(p)
}

// complete reports whether no character is cut off at the end.
func (t *text) complete() bool { return t.kept == 0 }

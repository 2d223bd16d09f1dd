package http1

import "encoding/binary"

// What a byte may be part of. One table answers for all of them, so that a
// byte costs one load and one test.
const (
	isToken  uint8 = 1 << iota // tchar, RFC 9110 §5.6.2
	isValue                    // field-vchar, SP or HT, RFC 9110 §5.5; also reason-phrase
	isTarget                   // what a request-target may hold, see Head.Target
	isHost                     // unreserved or sub-delims, RFC 3986 §2
	isDigit
	isHex
	isMethod // what a method may hold unless more is permitted, see [Permissions]
)

// class is written once, here, and only read afterwards.
var class = func() (t [256]uint8) {
	set := func(bit uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bit
		}
	}
	const (
		digits = "0123456789"
		alpha  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	)
	set(isToken, digits+alpha+"!#$%&'*+-.^_`|~")
	set(isMethod, digits+alpha[26:]+"!$%&'*+-.^_`|~")
	set(isHost, digits+alpha+"-._~!$&'()*+,;=")
	set(isDigit, digits)
	set(isHex, digits+"abcdefABCDEF")
	for c := 0x21; c <= 0xff; c++ {
		if c != 0x7f {
			t[c] |= isValue
		}
		if c < 0x7f && c != '#' {
			t[c] |= isTarget
		}
	}
	set(isValue, " \t")
	return t
}()

// span counts the bytes of the class bit that b begins with.
func span(b []byte, bit uint8) int {
	for i, c := range b {
		if class[c]&bit == 0 {
			return i
		}
	}
	return len(b)
}

// TokenLen counts the bytes of the token that b begins with (RFC 9110 §5.6.2).
func TokenLen(b []byte) int { return span(b, isToken) }

// allOf reports whether every byte of b belongs to the class bit.
func allOf[T Text](b T, bit uint8) bool {
	for i := range len(b) {
		if class[b[i]]&bit == 0 {
			return false
		}
	}
	return true
}

// validValue is allOf(b, isValue), eight bytes at a time: field values are
// most of a head. A word is fine when no byte of it is below 0x20 or equal to
// 0x7f; a word that is not may still hold a tab and is looked at bytewise.
func validValue(b []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		del := x ^ 0x7f*ones
		if ((x-0x20*ones)&^x|(del-ones)&^del)&high != 0 && !allOf(b[:8], isValue) {
			return false
		}
		b = b[8:]
	}
	return allOf(b, isValue)
}

// blanks counts the SP and HT that b begins with.
func blanks(b []byte) int {
	for i, c := range b {
		if c != ' ' && c != '\t' {
			return i
		}
	}
	return len(b)
}

// trim takes SP and HT off both ends: the OWS around a field value.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c &^ 0x20
	}
	return c
}

// equalFold compares without regard to the case of ASCII letters, and only
// those: bytes.EqualFold would take U+212A (Kelvin) for a k.
func equalFold[A, B Text](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// Text is what the small functions take: names and values come as bytes from
// clients, and as either from applications and our own code.
type Text interface{ ~string | ~[]byte }

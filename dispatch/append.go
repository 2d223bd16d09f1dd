package dispatch

import (
	"encoding/binary"
	"math"
)

// Type codes of the marshal format that belong to the subset (Python/marshal.c,
// versions 0 to 4). The interned codes tell Python to put the string into its
// table of interned strings when it loads it.
const (
	codeNone               = 'N'
	codeTrue               = 'T'
	codeFalse              = 'F'
	codeInt                = 'i'
	codeLong               = 'l'
	codeBytes              = 's'
	codeUnicode            = 'u'
	codeInterned           = 't'
	codeASCII              = 'a'
	codeASCIIInterned      = 'A'
	codeShortASCII         = 'z'
	codeShortASCIIInterned = 'Z'
	codeTuple              = '('
	codeSmallTuple         = ')'
	codeList               = '['
	codeDict               = '{'
	codeEnd                = '0'
	codeRef                = 'r'

	flagRef = 0x80 // this value joins the list of references

	maxShort   = 255 // longest string or tuple whose length is one byte
	digitBits  = 15  // of one digit of a long
	digitLimit = 1 << digitBits
)

// AppendNone appends None.
func AppendNone(b []byte) []byte { return append(b, codeNone) }

// AppendBool appends True or False.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, codeTrue)
	}
	return append(b, codeFalse)
}

// AppendInt appends an int.
func AppendInt(b []byte, v int64) []byte {
	if v >= math.MinInt32 && v <= math.MaxInt32 {
		return appendSized(b, codeInt, int(v))
	}
	magnitude := uint64(v)
	if v < 0 {
		magnitude = -magnitude // also right for MinInt64
	}
	var digits [5 * 2]byte // 64 bits in digits of 15
	n := 0
	for ; magnitude != 0; magnitude /= digitLimit {
		binary.LittleEndian.PutUint16(digits[2*n:], uint16(magnitude%digitLimit))
		n++
	}
	count := n
	if v < 0 {
		count = -n
	}
	return append(appendSized(b, codeLong, count), digits[:2*n]...)
}

// AppendBytes appends a bytes object, whose length must fit 31 bits.
func AppendBytes(b, v []byte) []byte {
	return append(appendSized(b, codeBytes, len(v)), v...)
}

// AppendKey appends a str that Python interns when it loads it, as it does with
// the literals of a program: a dictionary is filled fastest with such keys. The
// text must be ASCII, which is not checked.
//
// Only names from a fixed set may be given, never what a client chose: an
// interned string lives until the interpreter ends (seen on CPython 3.12 and
// 3.13: a hundred bytes a name), so that a client could fill every worker's
// memory with made-up header names. Those go through AppendLatin1.
func AppendKey(b []byte, ascii string) []byte {
	if len(ascii) <= maxShort {
		b = append(b, codeShortASCIIInterned, byte(len(ascii)))
	} else {
		b = appendSized(b, codeASCIIInterned, len(ascii))
	}
	return append(b, ascii...)
}

// AppendLatin1 appends a str whose code points are the bytes of v: the way in
// which PEP 3333 wants header values to arrive in a WSGI environ.
func AppendLatin1[T ~string | ~[]byte](b []byte, v T) []byte {
	if isASCII(v) {
		return appendASCII(b, v)
	}
	high := 0
	for i := range len(v) {
		high += int(v[i] >> 7)
	}
	b = appendSized(b, codeUnicode, len(v)+high)
	for i := range len(v) {
		if c := v[i]; c < 0x80 {
			b = append(b, c)
		} else {
			b = append(b, 0xc0|c>>6, 0x80|c&0x3f)
		}
	}
	return b
}

// AppendText appends a str from text in UTF-8. Validity is not checked here;
// Python refuses the whole message if it is not given. A surrogate in its three
// bytes is taken for the lone surrogate that it is.
func AppendText[T ~string | ~[]byte](b []byte, s T) []byte {
	if isASCII(s) {
		return appendASCII(b, s)
	}
	return append(appendSized(b, codeUnicode, len(s)), s...)
}

// AppendTuple appends the head of a tuple: n values must follow.
func AppendTuple(b []byte, n int) []byte {
	if n <= maxShort {
		return append(b, codeSmallTuple, byte(n))
	}
	return appendSized(b, codeTuple, n)
}

// AppendList appends the head of a list: n values must follow.
func AppendList(b []byte, n int) []byte { return appendSized(b, codeList, n) }

// AppendDict begins a dict: keys, each with its value behind it, must follow, and
// then AppendDictEnd.
func AppendDict(b []byte) []byte { return append(b, codeDict) }

// AppendDictEnd ends a dict.
func AppendDictEnd(b []byte) []byte { return append(b, codeEnd) }

// appendSized appends a code and the number of 32 bits that belongs to it.
func appendSized(b []byte, code byte, n int) []byte {
	return append(b, code, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

func appendASCII[T ~string | ~[]byte](b []byte, v T) []byte {
	if len(v) <= maxShort {
		b = append(b, codeShortASCII, byte(len(v)))
	} else {
		b = appendSized(b, codeASCII, len(v))
	}
	return append(b, v...)
}

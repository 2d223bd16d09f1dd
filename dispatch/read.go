package dispatch

import (
	"encoding/binary"
	"math"
)

// Kind returns the kind of the next value and leaves it to be read.
func (r *Reader) Kind() (Kind, error) {
	f, err := r.next()
	if err != nil {
		return KindInvalid, err
	}
	kind := kindOf(f.code)
	if kind == KindInvalid {
		return kind, r.mismatch(f, kind)
	}
	return kind, nil
}

// mismatch is the error for a value that is not of the wanted kind, or of no kind
// that the subset has.
func (r *Reader) mismatch(f found, want Kind) error {
	kind := kindOf(f.code)
	switch {
	case f.code == codeEnd:
		return r.fail(r.pos, "the end of a dict where a value is wanted")
	case kind == KindInvalid:
		return r.fail(r.pos, "a value outside the subset")
	}
	return r.fail(r.pos, kind.String()+" where "+want.String()+" is wanted")
}

// None reads a None.
func (r *Reader) None() error {
	f, err := r.next()
	if err != nil {
		return err
	}
	if f.code != codeNone {
		return r.mismatch(f, KindNone)
	}
	f.flag = false // Python ignores the flag on the three constants
	return r.leaf(f, f.body)
}

// Bool reads a True or False.
func (r *Reader) Bool() (bool, error) {
	f, err := r.next()
	if err != nil {
		return false, err
	}
	if f.code != codeTrue && f.code != codeFalse {
		return false, r.mismatch(f, KindBool)
	}
	f.flag = false // as for None
	return f.code == codeTrue, r.leaf(f, f.body)
}

// Int reads an int. One that does not fit 64 bits is an error; so is a bool,
// although it is an int in Python.
func (r *Reader) Int() (int64, error) {
	f, err := r.next()
	if err != nil {
		return 0, err
	}
	switch f.code {
	case codeInt:
		n, ok := r.number(f.body)
		if !ok {
			return 0, r.fail(r.pos, "an int cut short")
		}
		return int64(n), r.leaf(f, f.body+4)
	case codeLong:
		return r.long(f)
	}
	return 0, r.mismatch(f, KindInt)
}

// long reads an int that is written as digits of 15 bits, the lowest first.
func (r *Reader) long(f found) (int64, error) {
	count, ok := r.number(f.body)
	if !ok {
		return 0, r.fail(r.pos, "an int cut short")
	}
	n := max(count, -count)
	at := f.body + 4
	if n > (len(r.msg)-at)/2 {
		return 0, r.fail(r.pos, "an int cut short")
	}
	if n > 5 {
		return 0, r.fail(r.pos, "an int of more than 64 bits")
	}
	var magnitude uint64
	for i := n - 1; i >= 0; i-- {
		digit := uint64(binary.LittleEndian.Uint16(r.msg[at+2*i:]))
		switch {
		case digit >= digitLimit, i == n-1 && digit == 0: // Python refuses both, too
			return 0, r.fail(r.pos, "a malformed int")
		case magnitude > math.MaxUint64>>digitBits:
			return 0, r.fail(r.pos, "an int of more than 64 bits")
		}
		magnitude = magnitude<<digitBits | digit
	}
	value := int64(magnitude)
	if count < 0 {
		value = -value
	}
	if value != 0 && (value < 0) != (count < 0) {
		return 0, r.fail(r.pos, "an int of more than 64 bits")
	}
	return value, r.leaf(f, at+2*n)
}

// Bytes reads a bytes object. The result aliases the message.
func (r *Reader) Bytes() ([]byte, error) {
	f, err := r.next()
	if err != nil {
		return nil, err
	}
	if f.code != codeBytes {
		return nil, r.mismatch(f, KindBytes)
	}
	v, ok := r.sized(f)
	if !ok {
		return nil, r.fail(r.pos, "bytes cut short")
	}
	return v, r.leaf(f, f.body+4+len(v))
}

// Str reads a str, as UTF-8 in which lone surrogates may occur (see the package's
// documentation). The result aliases the message.
func (r *Reader) Str() ([]byte, error) {
	f, err := r.next()
	if err != nil {
		return nil, err
	}
	var v []byte
	var ok bool
	head := 4
	switch f.code {
	case codeShortASCII, codeShortASCIIInterned:
		head = 1
		v, ok = r.short(f)
	case codeASCII, codeASCIIInterned, codeUnicode, codeInterned:
		v, ok = r.sized(f)
	default:
		return nil, r.mismatch(f, KindStr)
	}
	if !ok {
		return nil, r.fail(r.pos, "a str cut short")
	}
	unicode := f.code == codeUnicode || f.code == codeInterned
	if unicode && !validText(v) || !unicode && !isASCII(v) {
		return nil, r.fail(r.pos, "a str with malformed characters")
	}
	return v, r.leaf(f, f.body+head+len(v))
}

// short returns the content of a value whose length is one byte.
func (r *Reader) short(f found) ([]byte, bool) {
	if f.body >= len(r.msg) {
		return nil, false
	}
	start, n := f.body+1, int(r.msg[f.body])
	if n > len(r.msg)-start {
		return nil, false
	}
	return r.msg[start : start+n : start+n], true
}

// sized returns the content of a value whose length is a number of 32 bits.
func (r *Reader) sized(f found) ([]byte, bool) {
	n, ok := r.number(f.body)
	start := f.body + 4
	if !ok || n < 0 || n > len(r.msg)-start {
		return nil, false
	}
	return r.msg[start : start+n : start+n], true
}

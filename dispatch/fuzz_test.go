package dispatch

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReader feeds the reader with anything. It must not panic or read outside the
// message; what it takes must come back equal when it is written and read again;
// and skipping must take exactly what reading takes. ops calls the methods in an
// order that no caller would.
func FuzzReader(f *testing.F) {
	for _, data := range []string{"N", "{\xda\x01kr\x00\x00\x00\x000", ")\x02\xa9\x01Nr\x00\x00\x00\x00"} {
		f.Add([]byte(data), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	}
	f.Fuzz(func(t *testing.T, data, ops []byte) {
		data = data[:len(data):len(data)] // a read past the end panics
		v, err := Unmarshal(data)
		checkError(t, data, err)
		skipErr := skipWhole(data)
		if twice := err != nil && strings.Contains(err.Error(), "a key twice"); !twice && (err == nil) != (skipErr == nil) {
			t.Fatalf("%q: reading says %v, skipping %v", data, err, skipErr)
		}
		if err == nil {
			again, err := Marshal(v)
			if err != nil {
				t.Fatalf("%q was read as %#v: %v", data, v, err)
			}
			if w, err := Unmarshal(again); err != nil || !reflect.DeepEqual(v, w) {
				t.Fatalf("%q was read as %#v, then as %#v, %v", data, v, w, err)
			}
		}
		scramble(t, data, ops)
	})
}

func skipWhole(data []byte) error {
	var r Reader
	r.Reset(data)
	_ = r.Skip() // the error stays
	return r.End()
}

func checkError(t *testing.T, data []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(data) {
		t.Fatalf("%q: %v, want a *SyntaxError inside the message", data, err)
	}
}

func scramble(t *testing.T, data, ops []byte) {
	t.Helper()
	var r Reader
	r.Reset(data)
	for _, op := range ops {
		var got []byte
		var n int
		var err error
		switch op % 12 {
		case 0:
			err = r.None()
		case 1:
			_, err = r.Bool()
		case 2:
			_, err = r.Int()
		case 3:
			got, err = r.Bytes()
		case 4:
			got, err = r.Str()
		case 5:
			n, err = r.Tuple()
		case 6:
			n, err = r.List()
		case 7:
			n, err = r.Sequence()
		case 8:
			err = r.Dict()
		case 9:
			_, err = r.DictMore()
		case 10:
			err = r.Skip()
		case 11:
			_, err = r.Kind()
		}
		checkError(t, data, err)
		if len(got) > len(data) || n > len(data) || n < 0 {
			t.Fatalf("%q: more than the message holds: %d bytes, %d items", data, len(got), n)
		}
	}
	checkError(t, data, r.End())
}

// FuzzMarshalRoundTrip builds values and sends them through both codecs.
func FuzzMarshalRoundTrip(f *testing.F) {
	f.Add(int64(0), "", []byte(nil), uint64(0))
	f.Add(int64(math.MinInt64), "é€\U0001f600\xed\xa0\x80", []byte("\x80\xff"), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, n int64, text string, raw []byte, shape uint64) {
		raw = append([]byte{}, raw...) // Unmarshal returns empty bytes as empty, not as nil
		want := build(n, text, raw, shape, 0)
		data, err := Marshal(want)
		if refused := hasText(want) && !validText([]byte(text)); refused != (err != nil) {
			t.Fatalf("Marshal(%#v): %v", want, err)
		}
		if got, readErr := Unmarshal(data); err == nil && (readErr != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%#v came back as %#v, %v", want, got, readErr)
		}
		var r Reader
		r.Reset(AppendLatin1(AppendLatin1(AppendTuple(nil, 2), text), raw))
		_, _ = r.Tuple()
		for _, want := range []string{text, string(raw)} {
			got, err := r.Str()
			if err != nil || utf8.RuneCount(got) != len(want) {
				t.Fatalf("latin-1 %q came back as %q, %v", want, got, err)
			}
		}
	})
}

// build makes a value of the given leaves; the bits of shape choose its form.
func build(n int64, text string, raw []byte, shape uint64, depth int) any {
	kind := shape % 9
	if depth >= 4 {
		kind %= 6
	}
	rest := shape / 9
	inner := func(step uint64) any { return build(n>>step, text, raw, rest/(step+1), depth+1) }
	switch kind {
	case 0:
		return nil
	case 1:
		return rest%2 == 0
	case 2:
		return n
	case 3:
		return raw
	case 4, 5:
		return text
	case 6:
		return Tuple{inner(0), inner(1), inner(2)}
	case 7:
		return List{inner(0), inner(3)}
	}
	return Dict{text: inner(0), text + "k": inner(1)}
}

// hasText reports whether build put its text into v.
func hasText(v any) bool {
	switch v := v.(type) {
	case string, Dict:
		return true
	case Tuple:
		return slices.ContainsFunc(v, hasText)
	case List:
		return slices.ContainsFunc(v, hasText)
	}
	return false
}

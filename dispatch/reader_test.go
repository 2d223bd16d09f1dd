package dispatch

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// refuse checks that data is refused as a syntax error, however it is read.
func refuse(t *testing.T, name, data string) {
	t.Helper()
	var syntax *SyntaxError
	if v, err := Unmarshal([]byte(data)); !errors.As(err, &syntax) {
		t.Errorf("%s: Unmarshal(%.80q) = %T, %v; want a *SyntaxError", name, data, v, err)
	}
	var r Reader
	r.Reset([]byte(data))
	_ = r.Skip() // the error stays
	if err := r.End(); !errors.As(err, &syntax) {
		t.Errorf("%s: skipping %.80q: %v; want a *SyntaxError", name, data, err)
	}
}

// The wire is the border between processes that run foreign code: what is not
// exactly of the subset ends there.
func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"nothing":                      "",
		"two values":                   "NN",
		"NULL":                         "0",
		"StopIteration":                "S",
		"Ellipsis":                     ".",
		"float":                        "g\x00\x00\x00\x00\x00\x00\xf0?",
		"float as text":                "f\x031.0",
		"int of Python 2":              "I\x00\x00\x00\x00\x00\x00\x00\x00",
		"set":                          "<\x00\x00\x00\x00",
		"code outside ASCII":           "\x80",
		"int cut short":                "i\x01\x00\x00",
		"long cut short":               "l\x02\x00\x00\x00\x01\x00",
		"long without its count":       "l\x02\x00",
		"long of 2**63":                "l\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00",
		"long of -2**63-1":             "l\xfb\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x08\x00",
		"long of 2**74":                "l\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40",
		"long of six digits":           "l\x06\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00",
		"long with a leading zero":     "l\x02\x00\x00\x00\x01\x00\x00\x00",
		"long with a digit too large":  "l\x01\x00\x00\x00\x00\x80",
		"long of -2**31 digits":        "l\x00\x00\x00\x80\x01\x00",
		"bytes of negative size":       "s\xff\xff\xff\xff",
		"bytes past the end":           "s\x04\x00\x00\x00abc",
		"bytes without a size":         "s\x04\x00\x00",
		"short str past the end":       "z\x04abc",
		"short str without a size":     "Z",
		"str past the end":             "u\xff\xff\xff\x7fabc",
		"short str above ASCII":        "z\x01\xe9",
		"str above ASCII":              "a\x02\x00\x00\x00\xc3\xa9",
		"str that is not UTF-8":        "u\x01\x00\x00\x00\xff",
		"str with half a character":    "u\x02\x00\x00\x00\xe2\x82",
		"str with half a surrogate":    "u\x02\x00\x00\x00\xed\xa0",
		"str with an overlong form":    "t\x02\x00\x00\x00\xc0\x80",
		"tuple of negative size":       "(\xff\xff\xff\xff",
		"tuple longer than the data":   "(\x03\x00\x00\x00NN",
		"small tuple without a size":   ")",
		"small tuple too long":         ")\x03NN",
		"tuple that ends early":        ")\x02i\x01\x00\x00\x00",
		"end of a dict in a tuple":     ")\x010",
		"list without a size":          "[\x01\x00",
		"dict without an end":          "{z\x01kN",
		"dict without anything":        "{",
		"dict with a key alone":        "{z\x01k0",
		"dict with an int for a key":   "{i\x01\x00\x00\x00N0",
		"dict with a tuple for a key":  "{)\x00N0",
		"dict with a key of no kind":   "{?N0",
		"reference to nothing":         "r\x00\x00\x00\x00",
		"reference below nothing":      ")\x02\xe9\x01\x00\x00\x00r\xff\xff\xff\xff",
		"reference ahead":              ")\x02r\x00\x00\x00\x00\xe9\x01\x00\x00\x00",
		"reference cut short":          ")\x02\xe9\x01\x00\x00\x00r\x00\x00\x00",
		"reference to a plain value":   ")\x02i\x01\x00\x00\x00r\x00\x00\x00\x00",
		"reference to a constant":      ")\x02\xcer\x00\x00\x00\x00",
		"reference with a flag":        ")\x02\xe9\x01\x00\x00\x00\xf2\x00\x00\x00\x00",
		"list that holds itself":       "\xdb\x01\x00\x00\x00r\x00\x00\x00\x00",
		"dict that holds itself":       "\xfb\xda\x01kr\x00\x00\x00\x000",
		"list in a tuple that's in it": "\xdb\x01\x00\x00\x00\xa9\x01r\x00\x00\x00\x00",
		"key that is a list":           ")\x02\xdb\x00\x00\x00\x00{r\x00\x00\x00\x00N0",
	} {
		refuse(t, name, data)
	}
	refuse(t, "too deep", strings.Repeat(")\x01", MaxDepth)+")\x00")
	refuse(t, "too deep by a reference",
		")\x02"+strings.Repeat("\xa9\x01", MaxDepth-1)+"N"+")\x01r\x00\x00\x00\x00")
}

// Python's reader would take a key twice and keep the last value. No writer writes
// it, and two readers that differ about it are how smuggling begins.
func TestUnmarshalRefusesAKeyTwice(t *testing.T) {
	t.Parallel()
	var syntax *SyntaxError
	if v, err := Unmarshal([]byte("{\xda\x01kNr\x00\x00\x00\x00T0")); !errors.As(err, &syntax) {
		t.Errorf("got %#v, %v; want a *SyntaxError", v, err)
	}
}

// A message that was cut anywhere is never taken for a whole one.
func TestReaderRefusesEveryPrefix(t *testing.T) {
	t.Parallel()
	data, err := Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		var syntax *SyntaxError
		if _, err := Unmarshal(data[:n:n]); !errors.As(err, &syntax) {
			t.Fatalf("the first %d of %d bytes: %v, want a *SyntaxError", n, len(data), err)
		}
	}
}

// Python's marshal writes references as soon as an object has two owners, for
// instance for each header name that an application keeps as a constant.
func TestReaderFollowsReferences(t *testing.T) {
	t.Parallel()
	one, x := int64(1), "x"
	for name, c := range map[string]struct {
		data string
		want any
	}{
		"leaf":                     {")\x03\xe9\x01\x00\x00\x00r\x00\x00\x00\x00i\x02\x00\x00\x00", Tuple{one, one, int64(2)}},
		"container before its own": {")\x03\xa9\x02\xda\x01xNr\x00\x00\x00\x00r\x01\x00\x00\x00", Tuple{Tuple{x, nil}, Tuple{x, nil}, x}},
		"inside the referenced":    {")\x03\xda\x01x\xa9\x01r\x00\x00\x00\x00r\x01\x00\x00\x00", Tuple{x, Tuple{x}, Tuple{x}}},
		"twice into each other":    {")\x04\xa9\x00\xa9\x01r\x00\x00\x00\x00\xa9\x01r\x01\x00\x00\x00r\x02\x00\x00\x00", Tuple{Tuple{}, Tuple{Tuple{}}, Tuple{Tuple{Tuple{}}}, Tuple{Tuple{Tuple{}}}}},
		"list at the end":          {"[\x02\x00\x00\x00\xdb\x01\x00\x00\x00Nr\x00\x00\x00\x00", List{List{nil}, List{nil}}},
		"dict":                     {")\x02\xfb\xda\x01xN0r\x00\x00\x00\x00", Tuple{Dict{x: nil}, Dict{x: nil}}},
		"key":                      {")\x02\xda\x01x{r\x00\x00\x00\x00r\x00\x00\x00\x000", Tuple{x, Dict{x: x}}},
		"flag on a constant":       {")\x03\xce\xe9\x01\x00\x00\x00r\x00\x00\x00\x00", Tuple{nil, one, one}},
		"new ones after":           {")\x04\xa9\x01\xda\x01xr\x00\x00\x00\x00\xda\x01yr\x02\x00\x00\x00", Tuple{Tuple{x}, Tuple{x}, "y", "y"}},
	} {
		got, err := Unmarshal([]byte(c.data))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: Unmarshal(%q) = %#v, %v; want %#v", name, c.data, got, err, c.want)
		}
	}
}

// What is skipped still counts: a later reference may point into it.
func TestSkipKeepsReferences(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Reset([]byte(")\x03\xfb\xda\x01k\xdb\x01\x00\x00\x00\xda\x01v0r\x03\x00\x00\x00r\x00\x00\x00\x00"))
	if n, err := r.Tuple(); n != 3 || err != nil {
		t.Fatalf("Tuple() = %d, %v", n, err)
	}
	if err := r.Skip(); err != nil {
		t.Fatalf("skip the dict: %v", err)
	}
	if v, err := r.Str(); string(v) != "v" || err != nil {
		t.Errorf("Str() = %q, %v; want the list's item", v, err)
	}
	if err := r.Skip(); err != nil {
		t.Errorf("skip the dict by its reference: %v", err)
	}
	if err := r.End(); err != nil {
		t.Error(err)
	}
}

// A few hundred bytes must not keep the gateway busy for an hour, nor fill memory.
func TestReferencesCannotUnfoldWithoutEnd(t *testing.T) {
	t.Parallel()
	// Each tuple holds the one before it 100 times: 100**10 values.
	values := AppendTuple(nil, 10)
	values = append(values, codeSmallTuple|flagRef, 0)
	for level := range 9 {
		values = append(values, codeSmallTuple|flagRef, 100)
		for range 100 {
			values = appendSized(values, codeRef, level)
		}
	}
	refuse(t, "many values", string(values))

	// Strings, exactly up to the limit. A reader starts to count anew with each message.
	const size, most = 60_000, (MaxUnfolded - valueCost) / (60_000 + 4 + valueCost)
	text := append(appendSized(nil, codeASCII|flagRef, size), bytes.Repeat([]byte("x"), size)...)
	repeat := func(n int) []byte {
		msg := append(AppendTuple(nil, n), text...)
		for range n - 1 {
			msg = appendSized(msg, codeRef, 0)
		}
		return msg
	}
	refuse(t, "much text", string(repeat(most+1)))
	var r Reader
	for range 3 {
		r.Reset(repeat(most))
		if err := errors.Join(r.Skip(), r.End()); err != nil {
			t.Errorf("%d times %d bytes: %v", most, size, err)
		}
	}
}

// What an application really does: one header value, in all of its headers.
func TestReferencesMayRepeatAHeader(t *testing.T) {
	t.Parallel()
	msg := AppendTuple(nil, 101)
	msg = append(appendSized(msg, codeASCII|flagRef, 8_000), bytes.Repeat([]byte("x"), 8_000)...)
	for range 100 {
		msg = appendSized(msg, codeRef, 0)
	}
	if _, err := Unmarshal(msg); err != nil {
		t.Errorf("100 references to 8,000 bytes: %v", err)
	}
}

// Nor may the densest message without references be refused for its size.
func TestNoMessageWithoutReferencesIsTooMuch(t *testing.T) {
	t.Parallel()
	msg := appendSized(nil, codeTuple, MaxMessage-5)
	msg = append(msg, bytes.Repeat([]byte{codeNone}, MaxMessage-5)...)
	if err := skipWhole(msg); err != nil {
		t.Error(err)
	}
}

// Whoever looks for the fault in an application is told that it is a cycle.
func TestCyclesAreNamed(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"\xdb\x01\x00\x00\x00r\x00\x00\x00\x00", "\xfb\xda\x01k\xdb\x01\x00\x00\x00r\x00\x00\x00\x000"} {
		if _, err := Unmarshal([]byte(data)); err == nil || !strings.Contains(err.Error(), "still open") {
			t.Errorf("Unmarshal(%q): %v, want it to say that a value is still open", data, err)
		}
	}
}

// The first error stays, so that it is enough to look at the last.
func TestReaderErrorStays(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Reset(AppendNone(AppendTuple(nil, 1)))
	_, _ = r.Tuple()
	_, first := r.Int()
	if want := (&SyntaxError{Offset: 2, What: "None where int is wanted"}); first == nil || first.Error() != want.Error() {
		t.Fatalf("Int() on None: %v, want %v", first, want)
	}
	calls := map[string]func() error{
		"None": r.None, "Skip": r.Skip, "End": r.End, "Dict": r.Dict,
		"Kind":     func() error { _, err := r.Kind(); return err },
		"Bool":     func() error { _, err := r.Bool(); return err },
		"Int":      func() error { _, err := r.Int(); return err },
		"Bytes":    func() error { _, err := r.Bytes(); return err },
		"Str":      func() error { _, err := r.Str(); return err },
		"Tuple":    func() error { _, err := r.Tuple(); return err },
		"List":     func() error { _, err := r.List(); return err },
		"Sequence": func() error { _, err := r.Sequence(); return err },
		"DictMore": func() error { _, err := r.DictMore(); return err },
	}
	for name, call := range calls {
		if err := call(); err != first {
			t.Errorf("%s after the error: %v, want %v", name, err, first)
		}
	}
	r.Reset(AppendInt(nil, 5))
	if n, err := r.Int(); n != 5 || err != nil {
		t.Errorf("after Reset: %d, %v; want 5", n, err)
	}
	if err := r.End(); err != nil {
		t.Errorf("End after Reset: %v", err)
	}
}

// Each method takes its own kind and names what it found instead.
func TestReaderTakesOnlyTheKindAskedFor(t *testing.T) {
	t.Parallel()
	values := map[Kind]any{
		KindNone: nil, KindBool: true, KindInt: int64(1), KindBytes: []byte("b"), KindStr: "s",
		KindTuple: Tuple{}, KindList: List{}, KindDict: Dict{},
	}
	methods := map[Kind]func(*Reader) error{
		KindNone:  (*Reader).None,
		KindBool:  func(r *Reader) error { _, err := r.Bool(); return err },
		KindInt:   func(r *Reader) error { _, err := r.Int(); return err },
		KindBytes: func(r *Reader) error { _, err := r.Bytes(); return err },
		KindStr:   func(r *Reader) error { _, err := r.Str(); return err },
		KindTuple: func(r *Reader) error { _, err := r.Tuple(); return err },
		KindList:  func(r *Reader) error { _, err := r.List(); return err },
		KindDict:  (*Reader).Dict,
	}
	for kind, v := range values {
		data, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for asked, method := range methods {
			var r Reader
			r.Reset(data)
			if got, err := r.Kind(); got != kind || err != nil {
				t.Errorf("Kind() = %v, %v; want %v", got, err, kind)
			}
			err := method(&r)
			if (err == nil) != (asked == kind) {
				t.Errorf("asked for %v, the value is %v: error %v", asked, kind, err)
			}
			if err != nil && !strings.Contains(err.Error(), kind.String()) {
				t.Errorf("asked for %v, the value is %v: the error does not say so: %v", asked, kind, err)
			}
		}
	}
}

// Forgotten items are a mistake in our code that would shift all that follows.
func TestEndSeesWhatWasNotRead(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Reset(AppendDictEnd(AppendDict(AppendTuple(nil, 1))))
	if err := r.End(); err == nil {
		t.Error("End before the first call: no error")
	}
	r.Reset(AppendDictEnd(AppendDict(AppendTuple(nil, 1))))
	_, _ = r.Tuple()
	if err := r.Dict(); err != nil {
		t.Fatal(err)
	}
	if err := r.End(); err == nil {
		t.Error("End inside a dict: no error")
	}
	r.Reset(AppendNone(nil))
	if _, err := r.DictMore(); err == nil {
		t.Error("DictMore outside a dict: no error")
	}
}

// The limits of int64 pass, in both writings of an int.
func TestIntLimits(t *testing.T) {
	t.Parallel()
	for _, want := range []int64{0, 1, -1, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxInt64, math.MinInt64} {
		var r Reader
		r.Reset(AppendInt(nil, want))
		if got, err := r.Int(); got != want || err != nil {
			t.Errorf("Int() = %d, %v; want %d", got, err, want)
		}
	}
	var r Reader
	r.Reset([]byte("l\x00\x00\x00\x00")) // Python reads this 0, though it does not write it
	if got, err := r.Int(); got != 0 || err != nil {
		t.Errorf("Int() = %d, %v; want 0", got, err)
	}
}

package dispatch

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// sample holds every kind of value, in the type in which Unmarshal returns it.
func sample() Tuple {
	return Tuple{
		nil, true, false,
		int64(0), int64(-1), int64(math.MaxInt32), int64(math.MinInt32), int64(math.MaxInt32 + 1),
		int64(math.MinInt32 - 1), int64(math.MaxInt64), int64(math.MinInt64), int64(1 << 45),
		[]byte{}, []byte("bytes \x00\xff"),
		"", "ascii", "é€\U0001f600", "lone \xed\xa0\x80", strings.Repeat("x", 255), strings.Repeat("x", 256),
		Tuple{}, Tuple{int64(1), Tuple{"nested"}}, List{}, List{int64(1), List{}},
		Dict{}, Dict{"": nil, "a": int64(1), "b": Dict{"é": List{}}},
		Tuple(make([]any, 255)), Tuple(make([]any, 256)),
	}
}

// What one side of a channel sends is what the other side gets.
func TestUnmarshalReturnsWhatWasMarshalled(t *testing.T) {
	t.Parallel()
	for _, want := range sample() {
		data, err := Marshal(want)
		if err != nil {
			t.Errorf("Marshal(%#v): %v", want, err)
			continue
		}
		got, err := Unmarshal(data)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Unmarshal(%q) = %#v, %v; want %#v", data, got, err, want)
		}
	}
	data, err := Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unmarshal(data); err != nil || !reflect.DeepEqual(got, any(sample())) {
		t.Errorf("the whole sample: got %#v, %v", got, err)
	}
}

// A caller may hand over its own number types without converting each.
func TestMarshalTakesEveryIntegerType(t *testing.T) {
	t.Parallel()
	type slotID int
	type generation uint64
	for _, v := range []any{int8(7), int16(7), int32(7), 7, uint8(7), uint16(7), uint32(7), uint(7), uint64(7), slotID(7), generation(7)} {
		data, err := Marshal(v)
		if err != nil {
			t.Errorf("Marshal(%T): %v", v, err)
			continue
		}
		if got, err := Unmarshal(data); err != nil || got != int64(7) {
			t.Errorf("%T came back as %v, %v; want 7", v, got, err)
		}
	}
}

// A value that the other side could not read must fail here, with a name, and not
// there, as a broken message.
func TestMarshalRefusesWhatHasNoPlaceInAMessage(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"float":             1.5,
		"large uint":        uint64(math.MaxInt64) + 1,
		"struct":            struct{}{},
		"pointer":           new(int),
		"map of other type": map[string]int{},
		"slice of strings":  []string{"a"},
		"not UTF-8":         "\xff",
		"half a character":  "\xe2\x82",
		"key not UTF-8":     Dict{"\xff": nil},
		"inside":            Tuple{List{Dict{"k": 1.5}}},
		"too deep":          nested(MaxDepth + 1),
		"dict too deep":     Dict{"k": nested(MaxDepth)},
	} {
		if data, err := Marshal(v); err == nil {
			t.Errorf("%s: Marshal returned %q, want an error", name, data)
		}
	}
	if data, err := Marshal(nested(MaxDepth)); err != nil {
		t.Errorf("%d deep: %v", MaxDepth, err)
	} else if _, err := Unmarshal(data); err != nil {
		t.Errorf("%d deep, unmarshalled: %v", MaxDepth, err)
	}
}

// nested returns an empty tuple inside depth-1 others.
func nested(depth int) any {
	v := Tuple{}
	for range depth - 1 {
		v = Tuple{v}
	}
	return v
}

// The buffer a message came in is used again for the next.
func TestUnmarshalAliasesNothing(t *testing.T) {
	t.Parallel()
	data, err := Marshal(Tuple{[]byte("bytes"), "text", Dict{"key": "value"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if want := (Tuple{[]byte("bytes"), "text", Dict{"key": "value"}}); !reflect.DeepEqual(got, any(want)) {
		t.Errorf("after the buffer was cleared: %#v, want %#v", got, want)
	}
}

package dispatch

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
)

// Tuple, List and Dict are the containers of a control message. What they hold is
// nil, a bool, an integer, []byte, string, Tuple, List or Dict. Unmarshal returns
// every int as int64. The keys of a Dict are the str keys of the Python dict.
type (
	Tuple []any
	List  []any
	Dict  map[string]any
)

// Marshal returns v as a message. Any integer type will do, also a named one, as
// long as the value fits 64 bits with a sign; nil containers are empty ones. An
// error tells which value has no place in a message. The keys of a Dict are
// written in order, so equal values give equal messages. That the message fits a
// channel is checked by Send.
func Marshal(v any) ([]byte, error) { return appendValue(nil, v, 0) }

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return AppendNone(b), nil
	case bool:
		return AppendBool(b, v), nil
	case []byte:
		return AppendBytes(b, v), nil
	case string:
		if !validText([]byte(v)) {
			return nil, fmt.Errorf("marshal %.40q: not UTF-8", v)
		}
		return AppendText(b, v), nil
	case Tuple:
		return appendItems(AppendTuple(b, len(v)), v, depth)
	case List:
		return appendItems(AppendList(b, len(v)), v, depth)
	case Dict:
		return appendPairs(AppendDict(b), v, depth)
	}
	n, err := integer(v)
	if err != nil {
		return nil, err
	}
	return AppendInt(b, n), nil
}

func appendItems(b []byte, items []any, depth int) ([]byte, error) {
	if depth == MaxDepth {
		return nil, fmt.Errorf("marshal: nested deeper than %d", MaxDepth)
	}
	var err error
	for _, item := range items {
		if b, err = appendValue(b, item, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendPairs(b []byte, d Dict, depth int) ([]byte, error) {
	if depth == MaxDepth {
		return nil, fmt.Errorf("marshal: nested deeper than %d", MaxDepth)
	}
	var err error
	for _, key := range slices.Sorted(maps.Keys(d)) {
		if b, err = appendValue(b, key, depth+1); err != nil {
			return nil, err
		}
		if b, err = appendValue(b, d[key], depth+1); err != nil {
			return nil, err
		}
	}
	return AppendDictEnd(b), nil
}

// integer takes any integer type, the named ones of other packages too.
func integer(v any) (int64, error) {
	switch n := reflect.ValueOf(v); {
	case n.CanInt():
		return n.Int(), nil
	case n.CanUint() && n.Uint() <= math.MaxInt64:
		return int64(n.Uint()), nil
	case n.CanUint():
		return 0, fmt.Errorf("marshal %d: more than 63 bits", n.Uint())
	}
	return 0, fmt.Errorf("marshal a value of type %T: no such thing in a message", v)
}

// Unmarshal returns the value of a message as Marshal takes it: nil, bool, int64,
// []byte, string, Tuple, List or Dict. Nothing of it aliases b. A str with lone
// surrogates becomes a string that is not valid UTF-8. Errors are *SyntaxError.
func Unmarshal(b []byte) (any, error) {
	var r Reader
	r.Reset(b)
	v, err := readValue(&r)
	if err != nil {
		return nil, err
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return v, nil
}

func readValue(r *Reader) (any, error) {
	kind, err := r.Kind()
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindNone:
		return nil, r.None()
	case KindBool:
		return r.Bool()
	case KindInt:
		return r.Int()
	case KindBytes:
		v, err := r.Bytes()
		return append([]byte{}, v...), err
	case KindStr:
		v, err := r.Str()
		return string(v), err
	case KindTuple:
		items, err := readItems(r)
		return Tuple(items), err
	case KindList:
		items, err := readItems(r)
		return List(items), err
	case KindDict:
		return readPairs(r)
	case KindInvalid: // comes with an error only
	}
	return nil, r.mismatch(found{}, KindInvalid)
}

func readItems(r *Reader) ([]any, error) {
	n, err := r.Sequence()
	if err != nil {
		return nil, err
	}
	items := make([]any, 0, min(n, 64)) // n is only what the message claims
	for range n {
		item, err := readValue(r)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func readPairs(r *Reader) (Dict, error) {
	if err := r.Dict(); err != nil {
		return nil, err
	}
	d := Dict{}
	for {
		more, err := r.DictMore()
		if !more || err != nil {
			return d, err
		}
		at := r.pos
		key, err := r.Str()
		if err != nil {
			return nil, err
		}
		if _, again := d[string(key)]; again {
			return nil, r.fail(at, "a key twice in a dict")
		}
		if d[string(key)], err = readValue(r); err != nil {
			return nil, err
		}
	}
}

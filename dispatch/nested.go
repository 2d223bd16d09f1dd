package dispatch

// Tuple enters a tuple and returns the number of its items, which must be read or
// skipped next. There is nothing to call at its end.
func (r *Reader) Tuple() (int, error) {
	f, err := r.next()
	if err != nil {
		return 0, err
	}
	if f.code != codeTuple && f.code != codeSmallTuple {
		return 0, r.mismatch(f, KindTuple)
	}
	return r.sequence(f)
}

// List enters a list, as Tuple does a tuple.
func (r *Reader) List() (int, error) {
	f, err := r.next()
	if err != nil {
		return 0, err
	}
	if f.code != codeList {
		return 0, r.mismatch(f, KindList)
	}
	return r.sequence(f)
}

// Sequence enters a tuple or a list, as Tuple does a tuple.
func (r *Reader) Sequence() (int, error) {
	f, err := r.next()
	if err != nil {
		return 0, err
	}
	if f.code != codeList && f.code != codeTuple && f.code != codeSmallTuple {
		return 0, r.mismatch(f, KindTuple)
	}
	return r.sequence(f)
}

func (r *Reader) sequence(f found) (int, error) {
	var n, body int
	if f.code == codeSmallTuple {
		if f.body >= len(r.msg) {
			return 0, r.fail(r.pos, "a tuple cut short")
		}
		n, body = int(r.msg[f.body]), f.body+1
	} else {
		var ok bool
		if n, ok = r.number(f.body); !ok {
			return 0, r.fail(r.pos, "a sequence cut short")
		}
		body = f.body + 4
	}
	if n < 0 || n > len(r.msg)-body { // an item takes one byte at least
		return 0, r.fail(r.pos, "a sequence longer than the message")
	}
	return n, r.open(f, body, n)
}

// Dict enters a dict. DictMore must be called next, and again after each pair.
func (r *Reader) Dict() error {
	f, err := r.next()
	if err != nil {
		return err
	}
	if f.code != codeDict {
		return r.mismatch(f, KindDict)
	}
	return r.open(f, f.body, wantKey)
}

// DictMore reports whether a key and its value follow in the dict that was entered
// last. If not, the dict has been left.
func (r *Reader) DictMore() (bool, error) {
	switch {
	case r.err != nil:
		return false, r.err
	case r.depth == 0 || r.stack[r.depth-1].left != wantKey:
		return false, r.fail(r.pos, "no key of a dict is next")
	case r.pos >= len(r.msg):
		return false, r.fail(r.pos, "a dict cut short")
	case r.msg[r.pos] != codeEnd:
		return true, nil
	}
	r.pos++
	r.close()
	return false, nil
}

// Skip reads the next value, whatever it is, and drops it.
func (r *Reader) Skip() error {
	outer := r.depth
	for {
		if err := r.skipOne(outer); err != nil {
			return err
		}
		if r.depth <= outer {
			return nil // below outer when it was the last item of its container
		}
	}
}

// skipOne goes past one leaf or one end, or into one container.
func (r *Reader) skipOne(outer int) error {
	if r.depth > outer && r.stack[r.depth-1].left == wantKey {
		if more, err := r.DictMore(); !more || err != nil {
			return err
		}
	}
	kind, err := r.Kind()
	if err != nil {
		return err
	}
	switch kind {
	case KindNone:
		return r.None()
	case KindBool:
		_, err = r.Bool()
	case KindInt:
		_, err = r.Int()
	case KindBytes:
		_, err = r.Bytes()
	case KindStr:
		_, err = r.Str()
	case KindTuple, KindList:
		_, err = r.Sequence()
	case KindDict:
		err = r.Dict()
	case KindInvalid: // comes with an error only
	}
	return err
}

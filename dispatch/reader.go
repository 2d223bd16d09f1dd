package dispatch

import "encoding/binary"

const (
	// MaxDepth is the deepest nesting of tuples, lists and dicts in a message.
	MaxDepth = 16

	// MaxUnfolded bounds what the references of one message may unfold to: the
	// bytes of all values as they are met, and valueCost more for each value. A
	// message without references stays below it by its size alone, if that is at
	// most MaxMessage.
	MaxUnfolded = valueCost * MaxMessage

	valueCost = 8
)

// A Reader takes one message apart, value by value, without allocating and
// without copying: what it returns aliases the message. The caller asks for the
// values in the order in which they stand and of the kinds it expects:
//
//	r.Reset(msg)
//	n, err := r.Tuple()   // then n values
//	id, err := r.Int()
//	...
//	err = r.End()
//
// A reference is followed silently: the value it stands for is read again in its
// place. The first error stays: every later call returns it too, so that a run of
// calls may be checked once, at its end. All errors are of type *SyntaxError.
//
// The zero value reads an empty message. A Reader may be used again after Reset
// and keeps its memory (4 bytes for each referable value of the longest message).
// It must not be used by two goroutines at a time.
type Reader struct {
	msg      []byte
	pos      int      // of the next value's code
	refs     []uint32 // offsets of the values that can be referred to, in order
	stack    [MaxDepth]frame
	depth    int  // open containers
	borrowed int  // how many of them were entered through a reference
	unfolded int  // see MaxUnfolded
	finished bool // the one value of the message has been read
	err      error
}

// A frame is a container whose end has not been reached.
type frame struct {
	left  int // values still to come; in a dict wantKey or wantValue
	start int // offset of its code
	back  int // where to go on behind its end, if it was entered through a reference
}

const (
	wantKey   = -1
	wantValue = -2
)

// found is a value that next came upon: everything but its content.
type found struct {
	code byte // without flagRef
	flag bool // it joins the list of references
	at   int  // offset of the code
	body int  // offset behind the code
	back int  // offset behind the reference that led here; 0: none did
}

// Reset makes r read msg from its beginning. The message must not change for as
// long as r, or what r returned, is used.
func (r *Reader) Reset(msg []byte) {
	r.msg, r.pos, r.refs = msg, 0, r.refs[:0]
	r.depth, r.borrowed, r.unfolded = 0, 0, 0
	r.finished, r.err = false, nil
}

// End checks that the message held one value, which has been read to its end, and
// nothing behind it.
func (r *Reader) End() error {
	switch {
	case r.err != nil:
		return r.err
	case !r.finished:
		return r.fail(r.pos, "the value is not read to its end")
	case r.pos != len(r.msg):
		return r.fail(r.pos, "data behind the value")
	}
	return nil
}

func (r *Reader) fail(at int, what string) error {
	r.err = &SyntaxError{Offset: at, What: what}
	return r.err
}

// next looks at the value at pos and moves nothing. It follows a reference: then
// the result lies earlier in the message.
func (r *Reader) next() (found, error) {
	if r.err != nil || r.finished || r.pos >= len(r.msg) {
		return found{}, r.nothing()
	}
	at, back := r.pos, 0
	code := r.msg[at]
	if code == codeRef {
		var err error
		if at, back, err = r.follow(); err != nil {
			return found{}, err
		}
		code = r.msg[at]
	}
	if r.depth > 0 && r.stack[r.depth-1].left == wantKey && !isStr(code&^flagRef) {
		return found{}, r.fail(r.pos, "a dict key that is not a str")
	}
	return found{code: code &^ flagRef, flag: code&flagRef != 0, at: at, body: at + 1, back: back}, nil
}

// nothing is the error for a value that is asked for where none is.
func (r *Reader) nothing() error {
	switch {
	case r.err != nil:
		return r.err
	case r.finished:
		return r.fail(r.pos, "nothing is left to read")
	}
	return r.fail(r.pos, "data ends where a value is wanted")
}

// follow returns where the value stands that the reference at pos is for, and
// where the reference ends. The list holds no references, so one step is enough. A
// value that is still open contains the reference: it would never end.
func (r *Reader) follow() (target, back int, err error) {
	index, ok := r.number(r.pos + 1)
	if !ok || index < 0 || index >= len(r.refs) {
		return 0, 0, r.fail(r.pos, "a reference to nothing")
	}
	target = int(r.refs[index])
	for i := range r.depth {
		if r.stack[i].start == target {
			return 0, 0, r.fail(r.pos, "a reference to a value that is still open")
		}
	}
	return target, r.pos + 5, nil
}

// number reads the signed number of 32 bits at offset at.
func (r *Reader) number(at int) (n int, ok bool) {
	if at > len(r.msg)-4 {
		return 0, false
	}
	return int(int32(binary.LittleEndian.Uint32(r.msg[at:]))), true
}

// register puts a flagged value on the list of references, in the order in which
// Python does: where its code stands, so a container comes before its items. What
// is read again through a reference is on the list already.
func (r *Reader) register(f found) {
	if f.flag && f.back == 0 && r.borrowed == 0 {
		r.refs = append(r.refs, uint32(f.at))
	}
}

// charge counts a value of so many bytes against MaxUnfolded. Only values reached
// through a reference can make the sum exceed the size of the message.
func (r *Reader) charge(f found, size int) error {
	r.unfolded += valueCost + size
	if r.unfolded > MaxUnfolded && (f.back != 0 || r.borrowed > 0) {
		return r.fail(r.pos, "references unfold to too much")
	}
	return nil
}

// leaf ends the reading of a value that is no container and ends at offset end.
func (r *Reader) leaf(f found, end int) error {
	if err := r.charge(f, end-f.body); err != nil {
		return err
	}
	r.register(f)
	r.pos = end
	if f.back != 0 {
		r.pos = f.back
	}
	r.complete()
	return nil
}

// open enters a container whose first item is at offset body. left is the number
// of its items, or wantKey.
func (r *Reader) open(f found, body, left int) error {
	if r.depth == MaxDepth {
		return r.fail(r.pos, "nested too deep")
	}
	if err := r.charge(f, 0); err != nil {
		return err
	}
	r.register(f)
	r.stack[r.depth] = frame{left: left, start: f.at, back: f.back}
	r.depth++
	if f.back != 0 {
		r.borrowed++
	}
	r.pos = body
	if left == 0 {
		r.close()
	}
	return nil
}

// close leaves the innermost container, which is thereby a complete value.
func (r *Reader) close() {
	r.depth--
	if back := r.stack[r.depth].back; back != 0 {
		r.borrowed--
		r.pos = back
	}
	r.complete()
}

// complete counts a value that has been read for the container it stands in.
func (r *Reader) complete() {
	if r.depth == 0 {
		r.finished = true
		return
	}
	switch top := &r.stack[r.depth-1]; top.left {
	case wantKey:
		top.left = wantValue
	case wantValue:
		top.left = wantKey
	case 1:
		r.close()
	default:
		top.left--
	}
}

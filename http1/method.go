package http1

// Bounds of the length of a method, in bytes. The longest registered one,
// UPDATEREDIRECTREF, has 17; the shortest, ACL, GET and PUT, have 3.
const (
	MinMethod = 3
	MaxMethod = 20
)

// methodLen counts the bytes of the method that the whole request line begins
// with. It returns 0 for a method that is not permitted, or without a space
// behind it.
func methodLen(line []byte, lim *Limits) int {
	var n int
	if lim.Permit.UnconventionalMethod {
		n = span(line, isToken)
	} else {
		n = span(line[:min(len(line), MaxMethod+1)], isMethod)
		if n < MinMethod || n > MaxMethod {
			return 0
		}
	}
	if n == len(line) || line[n] != ' ' {
		return 0
	}
	return n
}

// beginsMethod reports whether methodLen might accept a line that begins with
// line, which has at least one byte. It looks at no more than the first few
// bytes, for it is asked again whenever some more have come.
func beginsMethod(line []byte, lim *Limits) bool {
	bit, shortest := isMethod, MinMethod
	if lim.Permit.UnconventionalMethod {
		bit, shortest = isToken, 1
	}
	n := span(line[:min(len(line), MaxMethod+1)], bit)
	switch {
	case n > MaxMethod:
		return lim.Permit.UnconventionalMethod
	case n < len(line):
		return n >= shortest && line[n] == ' '
	}
	return true
}

// upperMethod replaces the method by itself in upper case, outside the buffer.
// One that has no lower-case letter stays where it is.
func (h *Head) upperMethod() {
	if span(h.Method, isMethod) == len(h.Method) {
		return
	}
	begin := len(h.room)
	for _, c := range h.Method {
		h.room = append(h.room, upper(c))
	}
	h.Method = h.room[begin:len(h.room):len(h.room)]
}

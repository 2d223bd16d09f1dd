package master

import "github.com/indrik/indrik/dispatch"

// The other ends are of the same version, and a message that is not what
// docs/protocol.md says is a bug. These readers give zero values for what is not
// there, so that such a bug shows as an unknown word or a slot nobody waits for.

// word returns the first item of a message, which names it.
func word(msg dispatch.Tuple) string { return text(msg, 0) }

// text returns item i, or "".
func text(msg dispatch.Tuple, i int) string {
	if i >= len(msg) {
		return ""
	}
	s, _ := msg[i].(string)
	return s
}

// item returns item i, or nil.
func item(msg dispatch.Tuple, i int) any {
	if i >= len(msg) {
		return nil
	}
	return msg[i]
}

// texts returns the strings of a list.
func texts(msg dispatch.Tuple, i int) (all []string) {
	list, _ := item(msg, i).(dispatch.List)
	for _, v := range list {
		if s, ok := v.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// number returns item i, or -1.
func number(msg dispatch.Tuple, i int) int {
	if i >= len(msg) {
		return -1
	}
	n, ok := msg[i].(int64)
	if !ok {
		return -1
	}
	return int(n)
}

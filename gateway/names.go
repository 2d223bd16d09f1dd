package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/indrik/indrik/http1"
)

// namePolicy says what becomes of fields with an underscore in their names. In
// the environ such a name looks like that of another field, with a dash: X_User
// and X-User are both HTTP_X_USER. A client could so say what only a proxy may,
// and many proxies drop just the field they know.
type namePolicy struct {
	refuse    bool     // a request with such a field is refused
	dangerous bool     // such fields are let through
	listed    [][]byte // names that trusted peers may use, in upper case
	all       bool     // they may use all
}

func newNamePolicy(headerMap string, forwarders []string) (p namePolicy, err error) {
	switch headerMap {
	case "", "drop":
	case "refuse":
		p.refuse = true
	case "dangerous":
		p.dangerous = true
	default:
		return p, fmt.Errorf("header_map: %q is not known", headerMap)
	}
	for _, name := range forwarders {
		if name == "*" {
			p.all = true
		}
		p.listed = append(p.listed, []byte(strings.ToUpper(name)))
	}
	return p, nil
}

// errUnderscore is header_map = refuse.
var errUnderscore = &http1.Error{Status: 400, Reason: "underscore in a field name"}

// standing is which of several fields with one environ key is taken: what a
// trusted peer may say replaces what anybody may say.
type standing uint8

const (
	dropped    standing = iota
	underscore          // let through by header_map = dangerous
	ordinary
	forwarder // named by forwarder_headers and sent by a trusted peer
)

func (p *namePolicy) standing(name []byte, trusted bool) standing {
	switch {
	case !http1.HasUnderscore(name):
		return ordinary
	case trusted && (p.all || slices.ContainsFunc(p.listed, func(l []byte) bool { return bytes.EqualFold(l, name) })):
		return forwarder
	case p.dangerous:
		return underscore
	}
	return dropped
}

// apply takes out of h what may not be there. Afterwards no two fields that
// share an environ key differ in their standing.
func (p *namePolicy) apply(h *http1.Head, trusted bool) error {
	found := false
	for i := range h.Fields {
		if http1.HasUnderscore(h.Fields[i].Name) {
			found = true
			break
		}
	}
	if !found {
		return nil
	}
	kept := h.Fields[:0]
	for _, f := range h.Fields {
		if p.standing(f.Name, trusted) != dropped {
			kept = append(kept, f)
		} else if p.refuse {
			return errUnderscore
		}
	}
	for i := range kept {
		if own := p.standing(kept[i].Name, trusted); own != forwarder && p.outranked(kept, i, own, trusted) {
			kept[i].Name = nil // marked; what outranks it is never marked itself
		}
	}
	h.Fields = kept[:0]
	for _, f := range kept {
		if f.Name != nil {
			h.Fields = append(h.Fields, f)
		}
	}
	return nil
}

// outranked reports whether another field has the key of fields[i] and a higher
// standing.
func (p *namePolicy) outranked(fields []http1.Field, i int, own standing, trusted bool) bool {
	for j := range fields {
		if j != i && http1.SameEnvName(fields[j].Name, fields[i].Name) && p.standing(fields[j].Name, trusted) > own {
			return true
		}
	}
	return false
}

// forwarded finds the value of a field that a trusted peer sent under a name
// that forwarder_headers lists.
func (p *namePolicy) forwarded(h *http1.Head, name []byte) ([]byte, bool) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if sameName(f.Name, name) && p.standing(f.Name, true) == forwarder {
			return f.Value, true
		}
	}
	return nil, false
}

// sameName compares field names, which are ASCII tokens without regard to case.
func sameName[T ~string | ~[]byte](a []byte, b T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		if a[i] != b[i] && (a[i]^b[i] != 0x20 || a[i]|0x20 < 'a' || a[i]|0x20 > 'z') {
			return false
		}
	}
	return true
}

package http1

import "bytes"

// Form is which of the four kinds of request-target was sent (RFC 9112 §3.2).
type Form uint8

const (
	OriginForm    Form = iota // /path?query
	AbsoluteForm              // http://authority/path?query, as sent to a proxy
	AuthorityForm             // host:port, for CONNECT and only for it
	AsteriskForm              // *, for OPTIONS and only for it
)

// String returns the name RFC 9112 gives the form.
func (f Form) String() string {
	switch f {
	case OriginForm:
		return "origin-form"
	case AbsoluteForm:
		return "absolute-form"
	case AuthorityForm:
		return "authority-form"
	case AsteriskForm:
		return "asterisk-form"
	}
	return "unknown form"
}

// requestLine parses method SP target SP version (RFC 9112 §3), where each SP
// is exactly one space.
func (h *Head) requestLine(line []byte, lim *Limits) *Error {
	if over(len(line), lim.Line) {
		return refuse(414, "request line too long")
	}
	n := methodLen(line, lim)
	if n == 0 {
		return refuse(400, "malformed method")
	}
	rest := line[n+1:]
	sp := bytes.IndexByte(rest, ' ')
	if sp < 0 {
		return refuse(400, "no version in the request line")
	}
	h.Method, h.Target = line[:n], rest[:sp]
	if lim.Permit.CasefoldMethod {
		h.upperMethod()
	}
	if err := h.version(rest[sp+1:], lim); err != nil {
		return err
	}
	return h.target()
}

// version parses HTTP-version (RFC 9112 §2.3), whose letters are case-sensitive.
func (h *Head) version(v []byte, lim *Limits) *Error {
	if len(v) != len("HTTP/1.1") || string(v[:5]) != "HTTP/" || v[6] != '.' ||
		class[v[5]]&class[v[7]]&isDigit == 0 {
		return refuse(400, "malformed version")
	}
	if v[5] != '1' && !lim.Permit.UnconventionalVersion {
		return refuse(505, "version other than HTTP/1")
	}
	if v[5] > '1' || v[5] == '1' && v[7] != '0' {
		h.Minor = 1
	}
	return nil
}

// unfinishedRequestLine is for a request line whose end has not come yet.
// fresh is the part of it that no earlier call has seen.
func unfinishedRequestLine(line, fresh []byte, lim *Limits) *Error {
	if over(len(line), lim.Line) {
		return refuse(414, "request line too long")
	}
	if !beginsMethod(line, lim) {
		return refuse(400, "malformed method")
	}
	for _, c := range fresh {
		if class[c]&isTarget == 0 && c != ' ' && (c != '#' || !lim.Permit.UnconventionalMethod) {
			return refuse(400, "forbidden character in the request line")
		}
	}
	return nil
}

// target finds the form of h.Target and takes it apart.
func (h *Head) target() *Error {
	t := h.Target
	if !allOf(t, isTarget) {
		if bytes.IndexByte(t, '#') >= 0 {
			return refuse(400, "fragment in the target")
		}
		return refuse(400, "forbidden character in the target")
	}
	switch {
	case len(t) == 0:
		return refuse(400, "empty target")
	case string(h.Method) == "CONNECT":
		h.Form, h.Authority = AuthorityForm, t
		if port, ok := authority(t); !ok || len(port) == 0 || t[0] == ':' {
			return refuse(400, "target of CONNECT is not host:port")
		}
	case t[0] == '/':
		h.Form = OriginForm
		h.pathQuery(t)
	case len(t) == 1 && t[0] == '*':
		h.Form, h.Path = AsteriskForm, t
		if string(h.Method) != "OPTIONS" {
			return refuse(400, "target * without OPTIONS")
		}
	default:
		return h.absolute()
	}
	return nil
}

// absolute takes apart an http or https URI. Other schemes are refused: we are
// not a proxy for them. So are user information (RFC 9110 §4.2.4) and an empty
// host (§4.2.1).
func (h *Head) absolute() *Error {
	h.Form = AbsoluteForm
	colon := bytes.IndexByte(h.Target, ':')
	if colon < 0 || !equalFold(h.Target[:colon], "http") && !equalFold(h.Target[:colon], "https") {
		return refuse(400, "target is neither a path nor an http URI")
	}
	rest := h.Target[colon+1:]
	if len(rest) < 2 || rest[0] != '/' || rest[1] != '/' {
		return refuse(400, "target is neither a path nor an http URI")
	}
	end := bytes.IndexAny(rest[2:], "/?")
	if end < 0 {
		end = len(rest) - 2
	}
	h.Authority = rest[2 : 2+end]
	if _, ok := authority(h.Authority); !ok || len(h.Authority) == 0 || h.Authority[0] == ':' {
		return refuse(400, "malformed authority in the target")
	}
	h.pathQuery(rest[2+end:])
	if len(h.Path) == 0 {
		h.Path = rest[:1] // an empty path means /, and the first byte of // is one to point at
	}
	return nil
}

// pathQuery splits at the first '?'.
func (h *Head) pathQuery(t []byte) {
	h.Path = t
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		h.Path, h.Query, h.HasQuery = t[:i], t[i+1:], true
	}
}

// ValidPath reports whether p could be the path of an origin-form: it begins
// with a slash and has no query behind it.
func ValidPath(p []byte) bool {
	return len(p) > 0 && p[0] == '/' && allOf(p, isTarget) && bytes.IndexByte(p, '?') < 0
}

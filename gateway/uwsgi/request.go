package uwsgi

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/indrik/indrik/http1"
)

const (
	// HeadSize is the length of what stands before the variables, in bytes.
	HeadSize = 4
	// MaxVars bounds the number of variables, as Gunicorn does.
	MaxVars = 1000
)

// Var is a variable of a packet.
type Var struct{ Name, Value []byte }

// Request is what a packet says beyond what a request head can hold. Empty is
// not said. The zero value is ready for [Request.Parse].
type Request struct {
	RemoteAddr, RemotePort []byte
	ServerName, ServerPort []byte
	Protocol               []byte // "HTTP/1.1": what the client spoke
	Scheme                 []byte // "http" or "https", by REQUEST_SCHEME
	HTTPS                  bool   // HTTPS is "on" or "1"
	ScriptName             []byte // without slashes at its end
	PathInfo               []byte // decoded already
	// Extra are all other variables, but for those that begin with "wsgi.": what
	// the server in front was configured to add. QUERY_STRING and its kin, which
	// the head has, are not among them.
	Extra []Var

	uri, query, host, length []byte

	room []byte // names of fields
}

// Size is how many bytes the packet that data begins with has, without the body;
// 0 while that cannot be told. Its error, an [*http1.Error], is that of data that
// begins no request: HTTP is told by its first byte.
func Size(data []byte) (int, error) {
	if len(data) > 0 && data[0] != 0 || len(data) >= HeadSize && data[3] != 0 {
		return 0, refuse(400, "uwsgi modifiers other than 0")
	}
	if len(data) < HeadSize {
		return 0, nil
	}
	return HeadSize + int(binary.LittleEndian.Uint16(data[1:])), nil
}

// Parse reads a whole packet, as [Size] found it, into r and h. Header fields get
// the names that CGI has lost, in lower case with dashes. h.Minor is 0 and
// h.KeepAlive false whatever the client spoke: the connection ends with the
// response. Its error is always an [*http1.Error].
func (r *Request) Parse(packet []byte, lim *http1.Limits, h *http1.Head) error {
	*r = Request{Extra: r.Extra[:0], room: r.room[:0]}
	h.Reset()
	h.ContentLength = -1
	if lim.Head > 0 && len(packet) > lim.Head {
		return refuse(431, "head too large")
	}
	if cap(r.room) < len(packet) {
		r.room = make([]byte, 0, len(packet)) // names point into it: it must not move
	}
	rest := packet[HeadSize:]
	for count := 0; len(rest) > 0; count++ {
		var v Var
		var ok1, ok2 bool
		v.Name, rest, ok1 = text(rest)
		v.Value, rest, ok2 = text(rest)
		switch {
		case !ok1 || !ok2 || len(v.Name) == 0:
			return refuse(400, "malformed uwsgi packet")
		case count == MaxVars:
			return refuse(431, "too many uwsgi variables")
		case !clean(v.Name) || !clean(v.Value) && !r.free(v):
			return refuse(400, "control character in a uwsgi variable")
		}
		if err := r.note(v, lim, h); err != nil {
			return err
		}
	}
	h.Size = len(packet)
	return r.finish(lim, h)
}

func refuse(status int, reason string) error {
	return &http1.Error{Status: status, Reason: reason}
}

// text takes one length and so many bytes.
func text(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.LittleEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, false
	}
	return b[2:n:n], b[n:], true
}

// clean reports that b has no control character but tabs: it may stand in a
// header field and in a line of a log.
func clean(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// free reports whether the value of v may hold what clean refuses: a path that
// was decoded. NUL it may not hold either (see [http1.AppendPercentDecoded]).
func (r *Request) free(v Var) bool {
	switch string(v.Name) {
	case "PATH_INFO", "SCRIPT_NAME", "DOCUMENT_URI", "PATH_TRANSLATED", "SCRIPT_FILENAME":
		return bytes.IndexByte(v.Value, 0) < 0
	}
	return false
}

// note takes in one variable. Of two with one name the later counts, as it would
// in the environ, but that fields add up.
func (r *Request) note(v Var, lim *http1.Limits, h *http1.Head) error {
	switch string(v.Name) {
	case "REQUEST_METHOD":
		h.Method = v.Value
	case "REQUEST_URI":
		r.uri = v.Value
	case "QUERY_STRING":
		r.query = v.Value
	case "PATH_INFO":
		r.PathInfo = v.Value
	case "SCRIPT_NAME":
		r.ScriptName = v.Value
	case "REMOTE_ADDR":
		r.RemoteAddr = v.Value
	case "REMOTE_PORT":
		r.RemotePort = v.Value
	case "SERVER_NAME":
		r.ServerName = v.Value
	case "SERVER_PORT":
		r.ServerPort = v.Value
	case "SERVER_PROTOCOL":
		r.Protocol = v.Value
	case "REQUEST_SCHEME":
		r.Scheme = v.Value
	case "HTTPS":
		r.HTTPS = bytes.EqualFold(v.Value, []byte("on")) || string(v.Value) == "1"
	case "CONTENT_LENGTH":
		r.length = v.Value
	case "CONTENT_TYPE":
		if len(v.Value) > 0 {
			return r.field(http1.Field{Name: contentType, Value: v.Value}, lim, h)
		}
	case "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_TRANSFER_ENCODING":
		// The same once more, or what the server in front has undone.
	default:
		if name, ok := bytes.CutPrefix(v.Name, []byte("HTTP_")); ok {
			return r.field(http1.Field{Name: r.fieldName(name), Value: v.Value}, lim, h)
		}
		if !bytes.HasPrefix(v.Name, []byte("wsgi.")) {
			r.Extra = append(r.Extra, v)
		}
	}
	return nil
}

var contentType, contentLength = []byte("content-type"), []byte("content-length")

// field adds a field of the head.
func (r *Request) field(f http1.Field, lim *http1.Limits, h *http1.Head) error {
	if lim.Fields > 0 && len(h.Fields) == lim.Fields {
		return refuse(431, "too many fields")
	}
	if len(f.Name) == 0 || http1.TokenLen(f.Name) != len(f.Name) {
		return refuse(400, "malformed field name")
	}
	if string(f.Name) == "host" {
		if r.host != nil {
			return refuse(400, "repeated Host")
		}
		r.host = f.Value
	}
	h.Fields = append(h.Fields, f)
	return nil
}

// fieldName turns ACCEPT_ENCODING into accept-encoding.
func (r *Request) fieldName(name []byte) []byte {
	begin := len(r.room)
	for _, c := range name {
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		}
		r.room = append(r.room, c)
	}
	return r.room[begin:len(r.room):len(r.room)]
}

// finish checks what a request must have, and derives the rest of the head.
func (r *Request) finish(lim *http1.Limits, h *http1.Head) error {
	if len(h.Method) == 0 || http1.TokenLen(h.Method) != len(h.Method) {
		return refuse(400, "malformed method")
	}
	if len(r.host) > 0 && !http1.ValidAuthority(r.host) {
		return refuse(400, "malformed Host")
	}
	h.Host, h.Authority = r.host, r.host
	if err := r.target(lim, h); err != nil {
		return err
	}
	if r.ScriptName = bytes.TrimRight(r.ScriptName, "/"); !isPath(r.PathInfo) || !isMount(r.ScriptName) {
		return refuse(400, "PATH_INFO or SCRIPT_NAME is no path")
	}
	if len(r.length) == 0 {
		return nil
	}
	var n int64
	for _, c := range r.length {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return refuse(400, "malformed CONTENT_LENGTH")
		}
		n = n*10 + int64(c-'0')
	}
	h.ContentLength = n
	return r.field(http1.Field{Name: contentLength, Value: r.length}, lim, h)
}

// isPath accepts nothing, too: then the path is taken from REQUEST_URI.
func isPath(p []byte) bool { return len(p) == 0 || p[0] == '/' || string(p) == "*" }

// isMount accepts nothing, too. Two slashes at the beginning would make an
// application's redirects lead to another host.
func isMount(p []byte) bool { return len(p) == 0 || p[0] == '/' && p[1] != '/' }

// target finds the target as the client sent it. Without REQUEST_URI it is made
// of PATH_INFO, whose bytes are then taken for what they stand for.
func (r *Request) target(lim *http1.Limits, h *http1.Head) error {
	if len(r.uri) == 0 {
		r.uri = r.PathInfo
		if h.Path = r.uri; len(h.Path) == 0 {
			return refuse(400, "neither REQUEST_URI nor PATH_INFO")
		}
	} else {
		var ok bool
		if h.Path, h.Query, ok = bytes.Cut(r.uri, []byte("?")); ok {
			h.HasQuery = true
		}
		if !http1.ValidPath(h.Path) && string(h.Path) != "*" {
			return refuse(400, "malformed REQUEST_URI")
		}
	}
	if lim.Line > 0 && len(h.Method)+len(r.uri)+len(" ")+len(r.Protocol) > lim.Line {
		return refuse(414, "request line too long")
	}
	if string(h.Path) == "*" {
		h.Form = http1.AsteriskForm
	}
	h.Target = r.uri
	h.Query, h.HasQuery = r.query, h.HasQuery || len(r.query) > 0
	return nil
}

package gateway

import (
	"strings"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// lookup finds what a log's format asks for by name: fields of a request, and
// the variables of the environ that the gateway makes of it.
type lookup struct {
	conn   *conn
	origin *origin
	head   *http1.Head
	reader dispatch.Reader
	room   []byte
}

// Field is the value of a header field, as it passed the rules about names.
func (k *lookup) Field(name string) ([]byte, bool) {
	for i := range k.head.Fields {
		if f := &k.head.Fields[i]; sameName(f.Name, name) {
			return f.Value, true
		}
	}
	return nil, false
}

// Only is the value of a field that there is once.
func (k *lookup) Only(name string) (value []byte, found bool) {
	for i := range k.head.Fields {
		if f := &k.head.Fields[i]; sameName(f.Name, name) {
			if found {
				return nil, false
			}
			value, found = f.Value, true
		}
	}
	return value, found
}

// Variable is a value of the environ. Applications that speak ASGI have none, but
// logs may ask for it all the same.
func (k *lookup) Variable(name string) ([]byte, bool) {
	const fields = "HTTP_"
	if len(name) > len(fields) && strings.EqualFold(name[:len(fields)], fields) {
		return k.field(name[len(fields):])
	}
	if value, known := k.own(name); known {
		return value, len(value) > 0
	}
	if value, found := k.item(k.conn.tls, name); found {
		return value, true
	}
	return k.item(k.conn.listener.prefix, name)
}

// own is what of the environ is written anew for each request.
func (k *lookup) own(name string) (value []byte, known bool) {
	o, h := k.origin, k.head
	switch {
	case strings.EqualFold(name, "REQUEST_METHOD"):
		return h.Method, true
	case strings.EqualFold(name, "RAW_URI"):
		return h.Target, true
	case strings.EqualFold(name, "QUERY_STRING"):
		return h.Query, true
	case strings.EqualFold(name, "SCRIPT_NAME"):
		return o.prefix, true
	case strings.EqualFold(name, "PATH_INFO"):
		return o.path, true
	case strings.EqualFold(name, "REMOTE_ADDR"):
		return o.client, true
	case strings.EqualFold(name, "REMOTE_PORT"):
		return o.port, true
	case strings.EqualFold(name, "SERVER_NAME"):
		return o.host, true
	case strings.EqualFold(name, "SERVER_PORT"):
		return o.hostPort, true
	case strings.EqualFold(name, "SERVER_PROTOCOL"):
		return k.copy(o.protocol), true
	case strings.EqualFold(name, "wsgi.url_scheme"):
		return k.copy(o.scheme), true
	case strings.EqualFold(name, "CONTENT_TYPE"):
		return k.fieldValue("content-type"), true
	case strings.EqualFold(name, "CONTENT_LENGTH"):
		return k.fieldValue("content-length"), true
	}
	return nil, false
}

// copy makes bytes of a text, which are good until the next call.
func (k *lookup) copy(text string) []byte {
	k.room = append(k.room[:0], text...)
	return k.room
}

func (k *lookup) fieldValue(name string) []byte {
	value, _ := k.Field(name)
	return value
}

// field finds a field by the name that it has in an environ.
func (k *lookup) field(name string) ([]byte, bool) {
	for i := range k.head.Fields {
		f := &k.head.Fields[i]
		if sameVariable(f.Name, name) && passed(f.Name) {
			return f.Value, true
		}
	}
	return nil, false
}

// sameVariable reports whether a field becomes HTTP_name.
func sameVariable(field []byte, name string) bool {
	if len(field) != len(name) {
		return false
	}
	for i := range field {
		a, b := field[i], name[i]
		if a == '-' {
			a = '_'
		}
		if a != b && (a^b != 0x20 || a|0x20 < 'a' || a|0x20 > 'z') {
			return false
		}
	}
	return true
}

// item finds the text of a key in items that are ready to be appended to an
// environ (appendPair). What it returns is good until the next call.
func (k *lookup) item(items []byte, name string) ([]byte, bool) {
	if len(items) == 0 {
		return nil, false
	}
	k.room = dispatch.AppendDictEnd(append(dispatch.AppendDict(k.room[:0]), items...))
	rd := &k.reader
	rd.Reset(k.room)
	if rd.Dict() != nil {
		return nil, false
	}
	for {
		if more, err := rd.DictMore(); err != nil || !more {
			return nil, false
		}
		key, err := rd.Str()
		if err != nil {
			return nil, false
		}
		kind, err := rd.Kind()
		if err == nil && kind == dispatch.KindStr && sameName(key, name) {
			value, err := rd.Str()
			return value, err == nil
		}
		if err != nil || rd.Skip() != nil {
			return nil, false
		}
	}
}

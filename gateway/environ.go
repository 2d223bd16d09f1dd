package gateway

import (
	"strconv"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// environPrefix is the items of the environ that are the same for all requests
// (PEP 3333, "environ Variables").
func environPrefix(c Config) []byte {
	b := appendPair(nil, "SERVER_SOFTWARE", c.Software)
	b = dispatch.AppendKey(b, "wsgi.version")
	b = dispatch.AppendInt(dispatch.AppendInt(dispatch.AppendTuple(b, 2), 1), 0)
	b = dispatch.AppendBool(dispatch.AppendKey(b, "wsgi.multiprocess"), c.Multiprocess)
	b = dispatch.AppendBool(dispatch.AppendKey(b, "wsgi.run_once"), false)
	return dispatch.AppendBool(dispatch.AppendKey(b, "wsgi.input_terminated"), true)
}

// appendPair appends a key and a str value; the bytes of value are its latin-1
// code points, as PEP 3333 wants native strings.
func appendPair[T ~string | ~[]byte](b []byte, key string, value T) []byte {
	return dispatch.AppendLatin1(dispatch.AppendKey(b, key), value)
}

// environ builds environs. It holds the memory that needs, so that nothing is
// allocated for the next.
type environ struct {
	merged      []byte
	multithread bool // workers have more than one seat
}

// append appends the environ of a request whose origin was traced. length is
// that of the whole body, which is known also for a chunked one that has been
// read by then; -1 if it is not known.
func (e *environ) append(b []byte, c *conn, h *http1.Head, o *origin, length int64) []byte {
	b = dispatch.AppendDict(b)
	b = append(b, c.listener.prefix...)
	b = dispatch.AppendBool(dispatch.AppendKey(b, "wsgi.multithread"), e.multithread)
	b = o.appendEnviron(b, c)
	b = append(b, c.tls...)
	if c.listener.uwsgi {
		b = o.appendExtra(b)
	}
	b = appendPair(b, "REQUEST_METHOD", h.Method)
	b = appendPair(b, "RAW_URI", h.Target)
	b = appendPair(b, "QUERY_STRING", h.Query)
	b = appendPair(b, "SERVER_PROTOCOL", o.protocol)
	if length >= 0 && (h.Chunked || h.ContentLength >= 0) {
		e.merged = strconv.AppendInt(e.merged[:0], length, 10)
		b = appendPair(b, "CONTENT_LENGTH", e.merged)
	}
	for i := range h.Fields {
		b = e.appendField(b, h.Fields, i)
	}
	return dispatch.AppendDictEnd(b)
}

// appendField appends one header field, merged with those of the same name that
// follow it. The values are joined as RFC 9110 section 5.3 allows, cookies as
// RFC 6265 section 5.4 wants them.
func (e *environ) appendField(b []byte, fields []http1.Field, i int) []byte {
	f := &fields[i]
	if !passed(f.Name) {
		return b
	}
	for j := range fields[:i] {
		if http1.SameEnvName(fields[j].Name, f.Name) {
			return b // was merged into the first
		}
	}
	value, merged := f.Value, false
	for j := i + 1; j < len(fields); j++ {
		if !http1.SameEnvName(fields[j].Name, f.Name) {
			continue
		}
		if !merged {
			e.merged, merged = append(e.merged[:0], value...), true
		}
		separator := ","
		if sameName(f.Name, "cookie") {
			separator = "; "
		}
		e.merged = append(append(e.merged, separator...), fields[j].Value...)
		value = e.merged
	}
	if sameName(f.Name, "content-type") {
		return appendPair(b, "CONTENT_TYPE", value)
	}
	return dispatch.AppendLatin1(appendEnvKey(b, f.Name), value)
}

// appendEnvKey appends HTTP_NAME as a key. Python keeps interned strings for
// ever, so only names that clients cannot make up are sent as such.
func appendEnvKey(b, name []byte) []byte {
	var room [maxFieldName + 8]byte
	key := http1.AppendEnvName(room[:0], name)
	if known, ok := commonKeys[string(key)]; ok {
		return append(b, known...)
	}
	return dispatch.AppendLatin1(b, key)
}

// commonKeys are the keys of fields that browsers and proxies send, ready to
// append. Written once, here.
var commonKeys = func() map[string][]byte {
	keys := map[string][]byte{}
	for _, name := range []string{
		"accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection", "cookie",
		"dnt", "expect", "forwarded", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
		"if-unmodified-since", "origin", "pragma", "priority", "range", "referer", "sec-ch-ua", "sec-ch-ua-mobile",
		"sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "te",
		"traceparent", "tracestate", "upgrade", "upgrade-insecure-requests", "user-agent", "via", "x-csrftoken",
		"x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip",
		"x-request-id", "x-requested-with",
	} {
		key := string(http1.AppendEnvName(nil, []byte(name)))
		keys[key] = dispatch.AppendKey(nil, key)
	}
	return keys
}()

const maxFieldName = 240 // longer ones are dropped

// passed reports whether a field becomes an environ variable. Those with an
// underscore were judged before (see [namePolicy]). Proxy does not, because CGI programs take HTTP_PROXY for a setting. The
// framing fields do not: the body is delivered whole, with its length.
func passed(name []byte) bool {
	if len(name) > maxFieldName {
		return false
	}
	switch len(name) {
	case len("proxy"):
		return !sameName(name, "proxy")
	case len("content-length"):
		return !sameName(name, "content-length")
	case len("transfer-encoding"):
		return !sameName(name, "transfer-encoding")
	}
	return true
}

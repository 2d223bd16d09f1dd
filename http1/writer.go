package http1

import "time"

// ValidStatus checks what an application gave as its status: three digits from
// 100 to 999, alone or followed by a space and a reason phrase (PEP 3333,
// RFC 9112 §4), and returns the number. Numbers above 599 belong to no class of
// RFC 9110 but are in use, and Gunicorn passes them on.
func ValidStatus[T Text](status T) (code int, ok bool) {
	if len(status) < 3 || len(status) > 3 && status[3] != ' ' || !allOf(status, isValue) {
		return 0, false
	}
	for i := range 3 {
		if class[status[i]]&isDigit == 0 {
			return 0, false
		}
		code = code*10 + int(status[i]-'0')
	}
	if code < 100 {
		return 0, false
	}
	return code, true
}

// ValidFieldName reports whether name is a token (RFC 9110 §5.1).
func ValidFieldName[T Text](name T) bool { return len(name) > 0 && allOf(name, isToken) }

// ValidFieldValue reports whether value, in latin-1, holds only what a field
// value may: visible characters, SP, HT and bytes above 0x7f (RFC 9110 §5.5).
// CR, LF, NUL and the other control characters are what it is there to stop.
func ValidFieldValue[T Text](value T) bool { return allOf(value, isValue) }

// AppendStatusLine appends a status line. minor is 0 or 1; status is "200 OK"
// or "200", as [ValidStatus] accepts it, and is not checked.
func AppendStatusLine[T Text](b []byte, minor int, status T) []byte {
	if minor == 0 {
		b = append(b, "HTTP/1.0 "...)
	} else {
		b = append(b, "HTTP/1.1 "...)
	}
	b = append(b, status...)
	if len(status) == 3 {
		b = append(b, ' ') // RFC 9112 §4: the space is there even if the reason is not
	}
	return append(b, "\r\n"...)
}

// AppendField appends one field line. Name and value are not checked: those
// from outside must have passed [ValidFieldName] and [ValidFieldValue].
func AppendField[N, V Text](b []byte, name N, value V) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// DateLen is the length of what [AppendDate] appends.
const DateLen = len(dateFormat)

const dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// AppendDate appends t as IMF-fixdate (RFC 9110 §5.6.7), always [DateLen] bytes
// for the years 0 to 9999. It takes a fraction of a microsecond; a loop that
// sends many responses keeps the result for the second it is good for.
func AppendDate(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, dateFormat) }

// Bodyless reports whether a response with this status has no body, whatever
// its fields say (RFC 9112 §6.3): 1xx, 204 and 304. So has every response to
// HEAD, which the status does not show.
func Bodyless(code int) bool { return code < 200 || code == 204 || code == 304 }

// IsHopByHop reports whether a field is about one connection and not about the
// message (RFC 9110 §7.6.1; PEP 3333 bars applications from setting such):
// Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding and
// Upgrade, in any case of letters.
func IsHopByHop[T Text](name T) bool {
	switch len(name) {
	case len("TE"):
		return equalFold(name, "te")
	case len("Trailer"): // and Upgrade
		return equalFold(name, "trailer") || equalFold(name, "upgrade")
	case len("Connection"): // and Keep-Alive
		return equalFold(name, "connection") || equalFold(name, "keep-alive")
	case len("Proxy-Connection"):
		return equalFold(name, "proxy-connection")
	case len("Transfer-Encoding"):
		return equalFold(name, "transfer-encoding")
	}
	return false
}

// Phrase returns the reason phrase of RFC 9110 or RFC 6585 for a status that a
// server answers by itself, without an application, and "" for others.
func Phrase(code int) string {
	switch code {
	case 100:
		return "Continue"
	case 103:
		return "Early Hints"
	case 400:
		return "Bad Request"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 413:
		return "Content Too Large"
	case 414:
		return "URI Too Long"
	case 417:
		return "Expectation Failed"
	case 421:
		return "Misdirected Request"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	case 507:
		return "Insufficient Storage"
	}
	return ""
}

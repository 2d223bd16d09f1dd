package accesslog

const (
	traceIDLength = 32 // hexadecimal digits
	spanIDLength  = 16
	// traceparentLength is that of version 00: "00-", trace, "-", span, "-", flags.
	traceparentLength = 3 + traceIDLength + 1 + spanIDLength + 1 + 2
)

// traceOf is the trace id of a traceparent field (W3C Trace Context, section 3.2), nil
// if the field breaks the rules: then it is no id, and a log that had it would lead
// nowhere. A later version may have more behind another dash.
func traceOf(v []byte) []byte {
	if len(v) < traceparentLength || !hexadecimal(v[:2]) || string(v[:2]) == "ff" {
		return nil
	}
	if more := v[traceparentLength:]; len(more) > 0 && (string(v[:2]) == "00" || more[0] != '-') {
		return nil
	}
	trace, rest := v[3:3+traceIDLength], v[3+traceIDLength:]
	span, flags := rest[1:1+spanIDLength], rest[1+spanIDLength+1:traceparentLength-3-traceIDLength]
	switch {
	case v[2] != '-', rest[0] != '-', rest[1+spanIDLength] != '-':
		return nil
	case !hexadecimal(trace), !hexadecimal(span), !hexadecimal(flags):
		return nil
	case zeros(trace), zeros(span):
		return nil
	}
	return trace
}

// hexadecimal allows small letters only, as the standard does.
func hexadecimal(v []byte) bool {
	for _, c := range v {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func zeros(v []byte) bool {
	for _, c := range v {
		if c != '0' {
			return false
		}
	}
	return true
}

package gateway

import (
	"strings"
	"testing"

	"github.com/indrik/indrik/dispatch"
)

// The message to a worker is all that is left of a request when its worker is lost.
func TestSummary(t *testing.T) {
	environ := dispatch.AppendDict(dispatch.AppendInt(dispatch.AppendTuple(nil, 3), 7))
	environ = dispatch.AppendInt(dispatch.AppendKey(environ, "wsgi.version"), 1)
	environ = appendPair(environ, "PATH_INFO", "/\"sh\xc3\xa4p\"\n")
	environ = appendPair(environ, "QUERY_STRING", "secret=1")
	environ = appendPair(environ, "REQUEST_METHOD", "POST")
	for _, c := range []struct {
		name string
		msg  []byte
		want string
	}{
		{"nothing", nil, ""},
		{"no dict", dispatch.AppendNone(dispatch.AppendInt(dispatch.AppendTuple(nil, 2), 7)), ""},
		{"empty", dispatch.AppendDictEnd(dispatch.AppendDict(dispatch.AppendInt(dispatch.AppendTuple(nil, 2), 7))), ""},
		{"cut off", environ[:len(environ)-1], ` "/\"shäp\"\n"`},
		{"environ", dispatch.AppendNone(dispatch.AppendDictEnd(environ)), `POST "/\"shäp\"\n"`},
	} {
		if got := summary(c.msg); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	long := appendPair(dispatch.AppendDict(dispatch.AppendInt(dispatch.AppendTuple(nil, 2), 7)), "PATH_INFO", strings.Repeat("x", 5000))
	if got := summary(long); len(got) > 2*longestQuote {
		t.Errorf("a path of 5000 bytes gave %d", len(got))
	}
}

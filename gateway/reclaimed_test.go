package gateway

import (
	"testing"

	"github.com/indrik/indrik/dispatch"
)

// What lies unread in a dead worker's lane goes to another only if it is known for a request, whatever form
// the request has; a note that its client left is none.
func TestUnreadRequestsAreKnownByTheirStart(t *testing.T) {
	start := func() []byte { return dispatch.AppendInt(dispatch.AppendTuple(nil, 3), 7) }
	note := dispatch.AppendNone(dispatch.AppendNone(start()))
	for _, c := range []struct {
		what string
		data []byte
		want uint64
	}{
		{"environ, or scope of a WebSocket", dispatch.AppendDict(start()), 7},
		{"values of a scope", dispatch.AppendTuple(start(), len(scopeValues)), 7},
		{"note", note, 0},
		{"nothing", nil, 0},
	} {
		if got := requestID(c.data); got != c.want {
			t.Errorf("%s: got the id %d, want %d", c.what, got, c.want)
		}
	}
}

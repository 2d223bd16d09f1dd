package gateway

import "github.com/indrik/indrik/http1"

// form writes requests as the workers of the course want them. It belongs to a
// loop or an exchange; once used, it allocates nothing.
type form struct {
	asgi    bool
	mount   string // the setting root_path
	environ environ
	scope   scope
}

// follow takes over the form of a course, and reports whether it is ASGI's.
func (f *form) follow(c *course) (asgi bool) {
	f.asgi = c.asgi
	f.environ.multithread = c.seats > 1
	return f.asgi
}

// append appends environ or scope of a request whose origin was traced. length
// is that of the whole body, -1 if it is not known yet.
func (f *form) append(b []byte, c *conn, h *http1.Head, o *origin, length int64) []byte {
	if f.asgi {
		return f.scope.append(b, httpScope, c, h, o, f.mount)
	}
	return f.environ.append(b, c, h, o, length)
}

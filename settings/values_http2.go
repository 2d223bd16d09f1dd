package settings

import "slices"

// HTTPProtocols returns what is offered to clients that speak TLS, the preferred
// first: "h1", "h2", "h3".
func (v *Values) HTTPProtocols() []string { return slices.Clone(of[[]string](v, "http_protocols")) }

// HTTP2Cleartext reports whether clients may begin with HTTP/2 without TLS.
func (v *Values) HTTP2Cleartext() bool { return of[string](v, "http2_cleartext") != "off" }

// HTTP2MaxConcurrentStreams is how many requests of a connection may be open.
func (v *Values) HTTP2MaxConcurrentStreams() int {
	return of[int](v, "http2_max_concurrent_streams")
}

// HTTP2InitialWindowSize is how many bytes of a body may be sent ahead.
func (v *Values) HTTP2InitialWindowSize() int { return of[int](v, "http2_initial_window_size") }

// HTTP2MaxFrameSize is the largest frame that is read, in bytes.
func (v *Values) HTTP2MaxFrameSize() int { return of[int](v, "http2_max_frame_size") }

// HTTP2MaxHeaderListSize bounds the fields of a request together, in bytes.
func (v *Values) HTTP2MaxHeaderListSize() int { return of[int](v, "http2_max_header_list_size") }

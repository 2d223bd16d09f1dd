package settings

// RequestID gives every request an id.
func (v *Values) RequestID() bool { return of[bool](v, "request_id") }

// RequestIDHeader is the header field of request ids.
func (v *Values) RequestIDHeader() string { return of[string](v, "request_id_header") }

// RequestStart tells applications when their requests arrived.
func (v *Values) RequestStart() bool { return of[bool](v, "request_start") }

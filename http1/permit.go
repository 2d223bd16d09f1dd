package http1

// Permissions are Gunicorn's switches for clients that do not speak HTTP as it
// is written. The zero value permits nothing. Whatever is accepted without a
// permission is accepted with it, and means the same.
//
// Each of them lets through what a server in front may have read differently;
// they are for closed networks with one known, odd client. None of them touches
// what frames a body: chunked bodies and their trailers stay strict.
type Permissions struct {
	// SpaceBeforeColon (strip_header_spaces) takes blanks between the name of a
	// field and its colon off, where RFC 9112 §5.1 demands a refusal.
	SpaceBeforeColon bool

	// ObsoleteFolding (permit_obsolete_folding) joins a field with the lines
	// after it that begin with a blank (RFC 9112 §5.2): blanks around each line
	// are dropped and one space put between. Unlike in Gunicorn, Host,
	// Content-Length and Transfer-Encoding may not be folded, a line of blanks
	// continues nothing, and a value never begins or ends with a blank.
	ObsoleteFolding bool

	// UnconventionalMethod (permit_unconventional_http_method) accepts every
	// token as a method: also lower-case letters, '#', fewer than [MinMethod]
	// bytes and more than [MaxMethod].
	UnconventionalMethod bool

	// UnconventionalVersion (permit_unconventional_http_version) accepts
	// versions outside 1.0 to 1.9. See Head.Minor for what becomes of them.
	UnconventionalVersion bool

	// CasefoldMethod (casefold_http_method) makes the method upper case. It
	// matters only with UnconventionalMethod: without, no lower-case letter
	// gets as far.
	CasefoldMethod bool
}

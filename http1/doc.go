// Package http1 reads request heads and chunked bodies of HTTP/1.1 and
// HTTP/1.0 and writes the pieces of a response, as functions over bytes.
//
// # Who owns what
//
// The caller owns every buffer. What [Head.Parse] returns points into the
// buffer it was given and is good until that buffer is changed; nothing is
// copied. A Head or a Chunked belongs to one connection or one loop at a time
// and has no lock.
//
// # Life of a head
//
//	Parse(bytes so far) ── false, nil ──▶ read more, Parse again with all of it
//	        ├─ true, nil ──▶ the fields of Head are set; the body begins at Size
//	        └─ *Error ─────▶ answer Error.Status and close: the framing is lost
//
// # What is promised
//
//   - Without [Permissions], a head that two readers could understand differently
//     is refused: bare CR,
//     bare LF or NUL, folded lines, space before a colon, a repeated Host,
//     Content-Length or Content-Type, Content-Length beside Transfer-Encoding,
//     Transfer-Encoding in HTTP/1.0.
//   - How the bytes were split into reads never decides between acceptance and
//     refusal. It may decide which of several faults is named.
//   - A request that can no longer become acceptable is refused without waiting
//     for its end: at a byte that no line may hold, or past a limit.
//   - The work is linear in the bytes, however they trickle in.
//   - Parsing an acceptable head does not allocate once Head.Fields has grown,
//     and decoding a body never does.
//
// # What is not
//
// The package does no I/O, keeps no time, logs nothing and decides nothing
// about a request beyond its syntax and framing. Trailers are checked and
// dropped. Rules come from RFC 9110 and RFC 9112 (named below by section) and,
// for the environ, from PEP 3333.
package http1

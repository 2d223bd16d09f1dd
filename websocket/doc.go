// Package websocket is the server's side of RFC 6455 with RFC 7692
// (permessage-deflate) over bytes: handshake values, frames, messages, close
// codes. It knows no sockets, starts no goroutine and logs nothing; the gateway
// owns connections, deadlines and order of writing.
//
//	client ──bytes──▶ Reader: frames, unmasking, fragments, inflating, UTF-8, limit ──▶ messages
//	client ◀──bytes── AppendHeader, AppendFrame, AppendClose; Pool.Deflate
//
// # What is promised
//
//   - What RFC 6455 forbids a client to send is an [*Error] with the close code
//     that the RFC names, found at the first byte that shows it, also in text
//     (section 8.1) and in the reason of a close frame.
//   - A message never comes out longer than the limit, however small it was when
//     compressed, and no memory is taken for what a frame merely claims to hold.
//   - Nothing that a client sends makes it panic.
//
// # Why it is ours
//
// Of the libraries looked at, coder/websocket passes invalid UTF-8 on, and bounds
// every control frame by five seconds of its own: a pong that must wait behind a
// message for a slow client would end the conversation. A large message could not
// be written from a file as one frame with any of them. What is left of the work is
// this package.
//
// # Compression
//
// Both sides begin each message with an empty window (the no_context_takeover
// parameters), so a conversation that is silent holds no window, and the tables of
// compress/flate, more than a megabyte, are shared through a [Pool]. Short messages
// that resemble each other compress less for it. An offer that demands a smaller
// server window than 32 KiB is declined: compress/flate has no other.
package websocket

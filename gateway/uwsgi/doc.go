// Package uwsgi reads request packets of the uwsgi protocol, as nginx sends them
// (uwsgi_pass), into the form that http1 gives to a request head: a function
// over bytes, without I/O.
//
// # The packet
//
//	modifier1 (1 byte, 0) · size (2, little-endian) · modifier2 (1, 0)
//	then size bytes of variables: length (2) · name · length (2) · value
//
// (https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html.) The body follows,
// as long as CONTENT_LENGTH says; the answer is a plain HTTP response, and the
// end of the connection is its end.
//
// # Who owns what
//
// The caller owns the packet. What [Request.Parse] returns points into it and
// into the Request, and is good until either is changed. Nothing is allocated
// once a Request has grown. One goroutine may use one at a time.
//
// # What is not
//
// Nothing is decided about who may send packets: whoever may is believed in
// everything, the client's address and scheme included.
package uwsgi

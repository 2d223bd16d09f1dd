// Package accesslog renders what access logs say of a request and its response.
//
// A [Format] is compiled once from Gunicorn's notation or from a name. Each
// line is rendered in two steps, because what the request says is gone by the
// time its response is known:
//
//	note := format.Ask(note[:0], request)        // when the request is read
//	lines = format.Answer(lines, note, response) // when it was answered
//
// Neither step allocates if the slices have room. Every byte that comes from a
// client or an application is escaped: it can end neither the quotes it stands
// in nor the line, so that no entry of a log can be forged.
//
// # What is not done here
//
// Nothing is written anywhere, and HTTP is not parsed: requests are seen through
// [Request], whose fields and environ the caller looks up.
package accesslog

// Package dispatch is the Go end of the wire between Indrik's processes: the
// marshal codec, the channels that carry orders and facts, and the scoreboard.
// docs/protocol.md is the contract; python/indrik/wire.py is the other end.
//
// # Three layers
//
// The Append functions and [Reader] are the fast path. They write and read one
// message at a time in the caller's buffers and allocate nothing: the gateway
// writes a request's environ and reads a reply with them.
//
// [Marshal], [Unmarshal] and [Channel] are the convenient path, for control
// messages, of which there are a few a second.
//
// [Scoreboard] is memory: rows of 64-bit words, each row written by one process
// and read by all.
//
// # What a value is
//
// A message is one value in the format of Python's marshal module, of the
// subset None, bool, int (of 64 bits, signed), bytes, str, tuple, list and dict
// with str keys, nested at most [MaxDepth] deep:
//
//	None  b'N'            bytes  b's' length(4) bytes
//	True  b'T'            str    b'z' length(1) ASCII     b'a' length(4) ASCII
//	False b'F'                   b'Z', b'A': the same, interned when loaded
//	int   b'i' value(4)          b'u' length(4) UTF-8     b't': interned
//	      b'l' count(4),  tuple  b')' count(1) items      b'(' count(4) items
//	      count digits    list   b'[' count(4) items
//	      of 15 bits (2)  dict   b'{' (key value)... b'0'
//
// Numbers are little-endian. A code with the bit 0x80 set also puts its value on
// the list of references, and b'r' index(4) stands for an entry of that list.
// [Reader] takes everything that marshal.dumps in versions 0 to 4 writes for
// these types and refuses the rest; the Append functions write no references.
//
// Strings travel as UTF-8, in which a lone surrogate (Python's surrogateescape
// makes them from file names that are not UTF-8) is passed on as the three bytes
// that Python's surrogatepass handler gives it. So [Reader.Str] can return bytes
// that [unicode/utf8.Valid] refuses: whoever needs valid UTF-8 must ask.
//
// # What is promised
//
//   - No message makes the reader panic, read outside the message, or do more
//     work than a small multiple of the largest message: references to a value
//     that is still open (a cycle) are refused, and so is a message whose
//     references unfold to more than [MaxUnfolded].
//   - A received descriptor is close-on-exec and either handed to the caller or
//     closed.
//   - Nothing here logs, reads the environment or starts a goroutine.
//
// # What is not done here
//
// The gateway does its own sendmmsg and recvmmsg on lanes and reply sockets;
// this package gives it the bytes. What messages mean is the business of master
// and gateway.
package dispatch

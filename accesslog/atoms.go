package accesslog

// atom is what a piece of a format stands for.
type atom uint8

const (
	literal   atom = iota // its text and nothing else
	client                // address of the client
	dash                  // what nobody knows: the user by RFC 1413
	user                  // of Basic authentication
	line                  // method, target, protocol
	method                // of the request
	path                  // decoded, without the prefix
	target                // as it was sent
	query                 // without the question mark
	protocol              // "HTTP/1.1"
	field                 // of the request, by name
	variable              // of the environ, by name
	requestID             // as in the X-Request-ID of the response
	traceID               // of the request's traceparent, if that is well-formed
	late                  // those that follow are known when the response is
	logTime               // [02/Jan/2006:15:04:05 -0700]
	clock                 // 15:04:05
	isoTime               // 2006-01-02T15:04:05.000000Z07:00
	status                // three digits
	size                  // bytes of the body
	seconds               // the time it took, whole seconds
	millis                // whole milliseconds
	micros                // whole microseconds
	tenths                // milliseconds with a decimal
	decimal               // seconds with six decimals
	waited                // in the queue, seconds with six decimals
	waitedMicros
	worker     // <pid>
	workerPID  // the bare number
	replyField // of the response, by name
)

// letters are Gunicorn's atoms, and three of our own that it has no letter for.
// Read only.
var letters = map[string]piece{
	"h": {atom: client},
	"l": {atom: dash},
	"u": {atom: user},
	"t": {atom: logTime},
	"r": {atom: line},
	"s": {atom: status},
	"m": {atom: method},
	"U": {atom: path},
	"q": {atom: query},
	"H": {atom: protocol},
	"b": {atom: size},
	"B": {atom: size},
	"f": {atom: field, name: "referer"},
	"a": {atom: field, name: "user-agent"},
	"T": {atom: seconds},
	"M": {atom: millis},
	"D": {atom: micros},
	"L": {atom: decimal},
	"p": {atom: worker},

	"request_id": {atom: requestID},
	"queue_time": {atom: waited},
	"trace_id":   {atom: traceID},
}

// Combined is Gunicorn's format, which is Apache's "combined" but that an empty
// body has the size 0 and not "-".
const Combined = `%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"`

// shortPieces are the format "short", for whoever sees the requests of an hour ago no
// more. Read only.
var shortPieces = []piece{
	{atom: clock}, {text: " "}, {atom: method}, {text: " "}, {atom: target}, {text: " "}, {atom: status}, {text: " "},
	{atom: tenths}, {text: "ms "}, {atom: size}, {text: "B\n"},
}

// pair is a member of a JSON object or a field of the journal.
type pair struct {
	key string
	piece
}

// jsonPairs are the members of the format "json", in order. Read only.
var jsonPairs = []pair{
	{"time", piece{atom: isoTime, quote: true}},
	{"remote_addr", piece{atom: client, quote: true}},
	{"user", piece{atom: user, quote: true}},
	{"method", piece{atom: method, quote: true}},
	{"target", piece{atom: target, quote: true}},
	{"protocol", piece{atom: protocol, quote: true}},
	{"host", piece{atom: field, name: "host", quote: true}},
	{"status", piece{atom: status}},
	{"bytes", piece{atom: size}},
	{"duration", piece{atom: decimal}},
	{"queue_time", piece{atom: waited}},
	{"worker", piece{atom: workerPID}},
	{"request_id", piece{atom: requestID, quote: true}},
	{"trace_id", piece{atom: traceID, quote: true}},
	{"referer", piece{atom: field, name: "referer", quote: true}},
	{"user_agent", piece{atom: field, name: "user-agent", quote: true}},
}

// journalPairs are the fields of an entry of the journal beside MESSAGE and
// the constant ones. Read only.
var journalPairs = []pair{
	{"HTTP_STATUS", piece{atom: status}},
	{"HTTP_METHOD", piece{atom: method}},
	{"HTTP_PATH", piece{atom: path}},
	{"HTTP_TARGET", piece{atom: target}},
	{"HTTP_PROTOCOL", piece{atom: protocol}},
	{"HTTP_HOST", piece{atom: field, name: "host"}},
	{"HTTP_REFERER", piece{atom: field, name: "referer"}},
	{"HTTP_USER_AGENT", piece{atom: field, name: "user-agent"}},
	{"REMOTE_ADDR", piece{atom: client}},
	{"REMOTE_USER", piece{atom: user}},
	{"RESPONSE_BYTES", piece{atom: size}},
	{"DURATION_USEC", piece{atom: micros}},
	{"QUEUE_USEC", piece{atom: waitedMicros}},
	{"REQUEST_ID", piece{atom: requestID}},
	{"TRACE_ID", piece{atom: traceID}},
	{"INDRIK_WORKER_PID", piece{atom: workerPID}},
}

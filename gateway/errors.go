package gateway

import (
	"errors"

	"github.com/indrik/indrik/http1"
)

var (
	errQueueFull    = errors.New("too many requests wait for a worker")
	errQueueTimeout = errors.New("no worker was free in time")
	errFormChanged  = errors.New("the application became one of another interface while the request waited")
	errWorkerDied   = errors.New("the worker that held the request ended")
	errWorkerLate   = errors.New("the worker that held the request was killed for taking too long")
	errCutHead      = errors.New("the head is not whole") // nobody calls with one
	errBadReply     = errors.New("the worker's reply cannot be sent")
	errTooLarge     = errors.New("request head too large to dispatch")
	errBodyTooLarge = errors.New("request body too large")
	errSlow         = errors.New("request did not arrive in time")
	errConnect      = errors.New("CONNECT is for proxies")
	errClientLeft   = errors.New("the client left")
	errDescriptors  = errors.New("no descriptor is left for the request")
	errConnections  = errors.New("no more connections are allowed (max_connections, open files)")
	errSpoolFull    = errors.New("the spool is full (spool_limit)")
	errSpool        = errors.New("request body could not be stored")
)

// ownAnswer is a response that the gateway itself gives.
type ownAnswer struct {
	status     int
	text       string
	retryAfter bool
	fields     string // whole lines of its own
}

// answerTo is the one place where errors become responses.
func answerTo(err error) ownAnswer {
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		return ownAnswer{status: bad.Status, text: bad.Reason}
	case errors.Is(err, errQueueFull), errors.Is(err, errQueueTimeout), errors.Is(err, errSpoolFull), errors.Is(err, errFormChanged), errors.Is(err, errDescriptors):
		return ownAnswer{status: 503, text: "The server is busy.", retryAfter: true}
	case errors.Is(err, errWorkerDied):
		return ownAnswer{status: 502, text: "The process that worked on this request ended before it answered."}
	case errors.Is(err, errWorkerLate):
		return ownAnswer{status: 504, text: "The application did not answer in time."}
	case errors.Is(err, errTooLarge):
		return ownAnswer{status: 431, text: "The request head is too large."}
	case errors.Is(err, errBodyTooLarge):
		return ownAnswer{status: 413, text: "The request body is too large."}
	case errors.Is(err, errSlow):
		return ownAnswer{status: 408, text: "The request did not arrive in time."}
	case errors.Is(err, errPlainHTTP):
		return ownAnswer{status: 400, text: "Only https is spoken here."}
	case errors.Is(err, errConnect):
		return ownAnswer{status: 501, text: "This server is no proxy."}
	case errors.Is(err, errMount):
		return ownAnswer{status: 500, text: "The server is not configured for this path."}
	case errors.Is(err, errSpool):
		return ownAnswer{status: 507, text: "The request body could not be stored."}
	case errors.Is(err, errForbidden):
		return ownAnswer{status: 403, text: "The application declined the conversation."}
	case errors.Is(err, errHandshake):
		return ownAnswer{status: 400, text: "This is no WebSocket handshake."}
	case errors.Is(err, errWebSocketVersion):
		return ownAnswer{status: 426, text: "Only version 13 of WebSocket is spoken here.", fields: versionFields}
	default:
		return ownAnswer{status: 500, text: "The application's response cannot be sent."}
	}
}

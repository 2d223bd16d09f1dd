package gateway

import (
	"errors"
	"fmt"

	"github.com/indrik/indrik/http1"
)

// Reason is why the gateway answered a request itself, or turned a connection
// away. The order is that of Figures.Refused.
type Reason int

// The reasons.
const (
	ReasonMalformed    Reason = iota // no lawful request
	ReasonLargeHead                  // request line or fields past their limits
	ReasonLargeBody                  // limit_request_body
	ReasonSlowClient                 // it did not come in time
	ReasonUnsupported                // a method or version that is not spoken
	ReasonQueueFull                  // queue_size
	ReasonQueueTimeout               // queue_timeout
	ReasonShortage                   // descriptors, spool_limit
	ReasonSpool                      // a body could not be stored
	ReasonWorkerDied                 // with the request in hand
	ReasonWorkerLate                 // killed for its timeout, with the request in hand
	ReasonBadReply                   // what the application said cannot be sent
	ReasonReload                     // the application's interface changed while the request waited
	ReasonWebSocket                  // no lawful handshake
	ReasonStranger                   // turned away: no PROXY header, or not from a peer that may
	ReasonOther
	numReasons

	maxReasons = 32 // of which the rest is for those to come
)

// String is the reason as metrics have it.
func (r Reason) String() string {
	if r < 0 || r >= numReasons {
		return fmt.Sprintf("reason_%d", int(r))
	}
	return [numReasons]string{
		"malformed", "large_head", "large_body", "slow_client", "unsupported", "queue_full", "queue_timeout", "shortage",
		"spool", "worker_died", "worker_timeout", "bad_reply", "reload", "websocket", "stranger", "other",
	}[r]
}

// Reasons are all that there are.
func Reasons() (all []Reason) {
	for r := range numReasons {
		all = append(all, r)
	}
	return all
}

// reasonOf is answerTo for those who count.
func reasonOf(err error) Reason {
	var bad *http1.Error
	if errors.As(err, &bad) {
		switch bad.Status {
		case 414, 431:
			return ReasonLargeHead
		case 413:
			return ReasonLargeBody
		case 501, 505:
			return ReasonUnsupported
		}
		return ReasonMalformed
	}
	for _, c := range []struct {
		err    error
		reason Reason
	}{
		{errQueueFull, ReasonQueueFull}, {errQueueTimeout, ReasonQueueTimeout},
		{errDescriptors, ReasonShortage}, {errSpoolFull, ReasonShortage}, {errSpool, ReasonSpool},
		{errFormChanged, ReasonReload}, {errWorkerDied, ReasonWorkerDied}, {errWorkerLate, ReasonWorkerLate},
		{errTooLarge, ReasonLargeHead}, {errBodyTooLarge, ReasonLargeBody}, {errSlow, ReasonSlowClient},
		{errConnect, ReasonUnsupported}, {errWebSocketVersion, ReasonWebSocket}, {errHandshake, ReasonWebSocket},
		{errPlainHTTP, ReasonMalformed}, {errCutHead, ReasonMalformed}, {errBadReply, ReasonBadReply},
	} {
		if errors.Is(err, c.err) {
			return c.reason
		}
	}
	return ReasonOther
}

package gateway

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/indrik/indrik/dispatch"
)

const (
	// What is told of a request is cut after so many bytes.
	longestPath   = 200
	longestMethod = 20
	longestClient = 64
)

// InHand is a request that a gateway has understood and not answered to its end.
type InHand struct {
	ID uint64
	// Phase is "queued" (it waits in the gateway), "dispatched" (it is in a lane or with a
	// worker) or "begun" (its response is a stream and goes to the client, or it is a
	// conversation).
	Phase string
	// Generation and PID are of the worker: 0 where the gateway does not know it, which is so
	// for what is on a shared lane and of which no reply came.
	Generation int
	PID        int
	Began      int64 // CLOCK_MONOTONIC ns: since when it waits for its answer
	Waited     int64 // ns of that in the queue; for a queued one it goes on
	// Method and Path are as the application sees them; WEBSOCKET is a method here. Queries
	// are left out: they may hold secrets. A long path is cut, and what is no UTF-8 in it is
	// U+FFFD. Client is an address, "" on a Unix socket.
	Method, Path, Client string
}

// arrived is since when a request waits for its answer, in ns of CLOCK_MONOTONIC.
func (r *request) arrived() int64 {
	if r.phase == queued {
		return r.since
	}
	return r.since - r.line.trip.waited
}

var requestPhases = [numRequestPhases]string{"unused", "queued", "dispatched", "begun"}

// describe reads what a request is from its message, which is kept until it is answered: so
// it costs nothing until somebody asks.
func (r *request) describe() InHand {
	h := InHand{ID: r.id, Phase: requestPhases[r.phase], Began: r.arrived()}
	if r.phase != queued {
		h.Waited, h.PID = r.line.trip.waited, r.line.trip.pid
	}
	if r.lane != nil {
		h.Generation = r.lane.generation
		if w := r.lane.worker; w != nil {
			h.PID = w.pid
		}
	}
	h.portray(r.msg)
	return h
}

// portray reads method, path and client from a message for a worker. What is not there,
// or cannot be read, stays as it was.
func (h *InHand) portray(msg []byte) {
	var rd dispatch.Reader
	rd.Reset(msg)
	_, err := rd.Tuple()
	_, err2 := rd.Int()
	if errors.Join(err, err2) != nil {
		return
	}
	if kind, _ := rd.Kind(); kind == dispatch.KindTuple {
		h.portrayScope(&rd)
		return
	}
	if rd.Dict() != nil {
		return
	}
	for {
		more, err := rd.DictMore()
		if err != nil || !more {
			return
		}
		key, err := rd.Str()
		if err != nil {
			return
		}
		if done, err := h.portrayItem(string(key), &rd); done || err != nil {
			return
		}
	}
}

// portrayScope reads the values of a request's scope.
func (h *InHand) portrayScope(rd *dispatch.Reader) {
	n, err := rd.Tuple()
	for i := 0; err == nil && i < min(n, len(scopeValues)); i++ {
		var done bool
		if done, err = h.portrayItem(scopeValues[i], rd); done {
			return
		}
	}
}

// portrayItem reads the value that belongs to a key. It reports true if those that follow
// are of no interest.
func (h *InHand) portrayItem(key string, rd *dispatch.Reader) (done bool, err error) {
	var text []byte
	switch key {
	case "REQUEST_METHOD", "method":
		text, err = wording(rd)
		h.Method = shorten(string(text), longestMethod)
	case "PATH_INFO": // its characters stand for bytes (PEP 3333)
		text, err = wording(rd)
		h.Path = shorten(strings.ToValidUTF8(string(bytesOf(text)), "\uFFFD"), longestPath)
	case "path":
		text, err = wording(rd)
		h.Path = shorten(strings.ToValidUTF8(string(text), "\uFFFD"), longestPath)
	case "type":
		text, err = wording(rd)
		if string(text) == "websocket" {
			h.Method = "WEBSOCKET"
		}
	case "REMOTE_ADDR":
		text, err = wording(rd)
		h.Client = shorten(string(text), longestClient)
	case "client":
		err = h.readClient(rd)
	case "headers", "RAW_URI":
		if h.Method != "" && h.Path != "" {
			return true, nil // the rest is what the client sent
		}
		err = rd.Skip()
	default:
		err = rd.Skip()
	}
	return false, err
}

// readClient reads (host, port) of a scope, or None.
func (h *InHand) readClient(rd *dispatch.Reader) error {
	if kind, err := rd.Kind(); err != nil || kind != dispatch.KindTuple {
		return errors.Join(err, rd.Skip())
	}
	_, err := rd.Tuple()
	host, err2 := wording(rd)
	h.Client = shorten(string(host), longestClient)
	return errors.Join(err, err2, rd.Skip())
}

// bytesOf gives back the bytes for which characters of latin-1 stand.
func bytesOf(text []byte) []byte {
	raw := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r > 0xff {
			return text // no such text
		}
		raw = append(raw, byte(r))
	}
	return raw
}

// shorten cuts a text to so many bytes, between two characters, and shows that.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

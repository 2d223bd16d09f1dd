package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// masterLimit bounds the wait for the master's loop, which turns in milliseconds.
const masterLimit = 10 * time.Second

// failure is the body of every answer that is none.
type failure struct {
	Error string `json:"error"`
}

// routes is the table of what can be asked. A method that a path does not have is
// answered 405, a path that is not here 404.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, f func(context.Context, *http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, s.handle(masterLimit, f))
	}
	post := func(path string, f func(context.Context, *http.Request) (any, error)) {
		mux.HandleFunc("POST "+path, s.handle(masterLimit, f))
	}
	get("/v1/status", func(ctx context.Context, _ *http.Request) (any, error) { return s.service.Status(ctx) })
	get("/v1/workers", func(ctx context.Context, _ *http.Request) (any, error) {
		status, err := s.service.Status(ctx)
		return status.Workers, err
	})
	get("/v1/requests", s.requests)
	get("/v1/events", func(ctx context.Context, _ *http.Request) (any, error) { return s.service.Events(ctx) })
	get("/v1/stacks", func(ctx context.Context, r *http.Request) (any, error) {
		slot, err := queryNumber(r, "slot", -1)
		if err != nil {
			return nil, err
		}
		return s.service.Stacks(ctx, slot)
	})
	post("/v1/reload", func(ctx context.Context, r *http.Request) (any, error) {
		if err := body(r, &struct{}{}); err != nil {
			return nil, err
		}
		return s.service.Reload(ctx)
	})
	mux.HandleFunc("GET /v1/reload/{id}", s.handle(MaxWait+masterLimit, s.outcome))
	post("/v1/rollback", func(ctx context.Context, _ *http.Request) (any, error) { return s.service.Rollback(ctx) })
	post("/v1/scale", s.scale)
	post("/v1/recycle", s.recycle)
	post("/v1/log-level", s.logLevel)
	post("/v1/stop", func(ctx context.Context, _ *http.Request) (any, error) { return struct{}{}, s.service.Stop(ctx) })
	if exporter, ok := s.service.(Exporter); ok {
		mux.Handle("GET /metrics", exporter.Metrics())
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, Errorf(http.StatusNotFound, "nothing is at %s; docs/control.md lists what is", r.URL.Path))
	})
	return mux
}

// handle makes a handler of a function that answers within a time.
func (s *Server) handle(limit time.Duration, f func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		found, err := f(ctx, r)
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, found)
	}
}

// Bounds of the list of requests.
const (
	usualRequests = 100
	MostRequests  = 1000
)

func (s *Server) requests(ctx context.Context, r *http.Request) (any, error) {
	most, err := queryNumber(r, "limit", usualRequests)
	if err != nil {
		return nil, err
	}
	if most < 1 || most > MostRequests {
		return nil, Errorf(http.StatusBadRequest, "limit %d: write a number from 1 to %d", most, MostRequests)
	}
	return s.service.Requests(ctx, most)
}

func (s *Server) outcome(ctx context.Context, r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, Errorf(http.StatusBadRequest, "reload %q: write the number that POST /v1/reload gave", r.PathValue("id"))
	}
	wait, err := queryNumber(r, "wait", 0)
	if err != nil {
		return nil, err
	}
	return s.service.Outcome(ctx, id, min(time.Duration(wait)*time.Second, MaxWait))
}

func (s *Server) scale(ctx context.Context, r *http.Request) (any, error) {
	var wish struct {
		Workers *Amount `json:"workers"`
	}
	if err := body(r, &wish); err != nil {
		return nil, err
	}
	if wish.Workers == nil {
		return nil, Errorf(http.StatusBadRequest, `say how many: {"workers": 4}, or "+1", or "-1"`)
	}
	return s.service.Scale(ctx, *wish.Workers)
}

func (s *Server) recycle(ctx context.Context, r *http.Request) (any, error) {
	var wish struct {
		Slot *int `json:"slot"`
		All  bool `json:"all"`
	}
	if err := body(r, &wish); err != nil {
		return nil, err
	}
	switch {
	case wish.All && wish.Slot == nil:
		return s.service.Recycle(ctx, -1)
	case !wish.All && wish.Slot != nil && *wish.Slot >= 0:
		return s.service.Recycle(ctx, *wish.Slot)
	}
	return nil, Errorf(http.StatusBadRequest, `say which: {"slot": 0} or {"all": true}`)
}

func (s *Server) logLevel(ctx context.Context, r *http.Request) (any, error) {
	var wish Level
	if err := body(r, &wish); err != nil {
		return nil, err
	}
	if wish.Seconds < 0 || wish.Seconds > 1e9 {
		return nil, Errorf(http.StatusBadRequest, "seconds %v: write 0 for ever, or at most 1000000000", wish.Seconds)
	}
	return s.service.LogLevel(ctx, wish)
}

// queryNumber reads a number from the query; usual if it is not there.
func queryNumber(r *http.Request, name string, usual int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1e9 {
		return 0, Errorf(http.StatusBadRequest, "%s %q: write a whole number from 0 on", name, text)
	}
	return n, nil
}

// body reads the JSON of a question; none at all is as {}.
func body(r *http.Request, to any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		_, err = d.Token() // nothing may follow
	}
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &large):
		return Errorf(http.StatusRequestEntityTooLarge, "a body of more than %d bytes", MaxBody)
	case err == nil:
		return Errorf(http.StatusBadRequest, "the body is more than one JSON object")
	}
	return Errorf(http.StatusBadRequest, "the body is not what this takes: %v", err)
}

// answer writes JSON for people: a line for each value.
func answer(w http.ResponseWriter, status int, what any) {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil { // of our own types: never
		status, text = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that left needs none
}

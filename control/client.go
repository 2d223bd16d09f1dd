package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	dialLimit = 2 * time.Second
	// reconnect is the pause before a socket is tried again that was there before.
	reconnect = 100 * time.Millisecond
	// reachLimit is how long a master that was there may be out of reach.
	reachLimit = 15 * time.Second
	// pollWait is how long one question for the outcome of a reload waits.
	pollWait = 20 * time.Second
)

// UnreachableError says that nobody answers on a socket.
type UnreachableError struct {
	Path string
	Err  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("connect to %s: %v", e.Path, e.Err)
}

// Unwrap returns what the kernel said.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Client asks on a control socket. Its methods may be called by several goroutines.
// Errors are [*UnreachableError] if nobody answered, and [*Error] with what the service
// had to say against it.
type Client struct {
	path string
	http *http.Client
}

// NewClient makes a client of the socket at path; nothing is connected before the
// first question.
func NewClient(path string) *Client {
	dialer := &net.Dialer{Timeout: dialLimit}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) },
		DisableKeepAlives: true,
	}}}
}

// Get asks for what is at path, below /v1/, and reads it into to.
func (c *Client) Get(ctx context.Context, path string, to any) error {
	return c.ask(ctx, http.MethodGet, path, nil, to)
}

// Post orders what path says, with wish as its JSON, and reads the answer into to.
func (c *Client) Post(ctx context.Context, path string, wish, to any) error {
	text, err := json.Marshal(wish)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", path, err)
	}
	return c.ask(ctx, http.MethodPost, path, text, to)
}

func (c *Client) ask(ctx context.Context, method, path string, body []byte, to any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://indrik/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask for %s: %w", path, err)
	}
	response, err := c.http.Do(r)
	if err != nil {
		var inner *net.OpError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return &UnreachableError{c.path, err}
	}
	defer response.Body.Close() // read side; nothing to lose
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return &UnreachableError{c.path, err}
	}
	if response.StatusCode != http.StatusOK {
		var said failure
		if json.Unmarshal(text, &said) != nil || said.Error == "" {
			said.Error = response.Status
		}
		return &Error{response.StatusCode, said.Error}
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("read the answer to %s: %w", path, err)
	}
	return nil
}

// Await waits for the outcome of a reload, until ctx ends. progress is told each
// news of it. A connection that is cut is made anew: the master may have become
// another program meanwhile, and then knows of the reload all the same.
func (c *Client) Await(ctx context.Context, id int64, progress func(Reload)) (Reload, error) {
	reached := time.Now()
	for {
		var r Reload
		err := c.Get(ctx, "reload/"+strconv.FormatInt(id, 10)+"?wait="+strconv.Itoa(int(pollWait/time.Second)), &r)
		var gone *UnreachableError
		var refused *Error
		switch {
		case errors.As(err, &gone), errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable:
			if time.Since(reached) > reachLimit {
				return r, err
			}
			select {
			case <-time.After(reconnect):
				continue
			case <-ctx.Done():
				return r, err
			}
		case err != nil:
			return r, err
		}
		reached = time.Now()
		progress(r)
		if r.Over() {
			return r, nil
		}
	}
}

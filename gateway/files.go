package gateway

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/gateway/static"
	"github.com/indrik/indrik/http1"
)

// Static is what is served from files; so named here, nobody above needs to
// know the package.
type Static = static.Config

// StaticMount is a directory and the prefix that it is served below.
type StaticMount = static.Mount

// ParseStatic reads "/prefix=dir". Its errors are a reason and a remedy.
func ParseStatic(text string) (StaticMount, error) { return static.ParseMount(text) }

// CheckStatic reports files that cannot be served now, for a start that should
// not go on without them. A gateway does: its successor may come at a bad moment.
func CheckStatic(c Static) error { return static.Check(c) }

// refreshPeriod is how long a replaced directory of files may go unnoticed.
const refreshPeriod = time.Second

// openSite opens the directories of static files and keeps looking at them
// until the gateway has drained.
func (g *gateway) openSite() error {
	c := g.config.Static
	if len(c.Mounts) == 0 {
		return nil
	}
	c.Refuse = g.refuseFile
	site, err := static.New(c)
	if err != nil {
		return err
	}
	g.site = site
	go g.refreshSite()
	return nil
}

// refreshSite says once when a directory cannot be opened, and once when all
// can again.
func (g *gateway) refreshSite() {
	defer g.site.Close()
	tick := time.NewTicker(refreshPeriod)
	defer tick.Stop()
	said := ""
	for {
		text := ""
		if err := g.site.Refresh(); err != nil {
			text = err.Error()
		}
		switch {
		case text == said:
		case text == "":
			g.log.Info("static files can be served again")
		default:
			g.log.Error("static files could not be opened", "error", text)
		}
		said = text
		select {
		case <-tick.C:
		case <-g.drained:
			return
		}
	}
}

// serveStatic answers a request with a file. It reports false if the request is
// the application's.
func (x *exchange) serveStatic(h *http1.Head) bool {
	site := x.gateway.site
	if !site.Claims(h.Method, x.origin.path) {
		return false
	}
	w := &httpWriter{x: x, header: http.Header{}, state: x.asked}
	if bodied := h.Chunked || h.ContentLength > 0; bodied || !x.gateway.mayKeep(x.conn) {
		w.state.keep = false
	}
	if !site.Serve(w, x.httpRequest(h)) {
		return false
	}
	w.finish() // a body that follows is not read: the connection ends
	x.keep = w.state.keep && !x.broken
	x.line.log(x.gateway, w.status, w.size, x.head)
	return true
}

// httpRequest is a request without a body, as handlers of net/http take it.
func (x *exchange) httpRequest(h *http1.Head) *http.Request {
	r := &http.Request{
		Method: string(h.Method), RequestURI: string(h.Target),
		URL:   &url.URL{Path: string(x.origin.path), RawQuery: string(h.Query)},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: h.Minor,
		Header: make(http.Header, len(h.Fields)), Body: http.NoBody,
	}
	for i := range h.Fields {
		r.Header.Add(string(h.Fields[i].Name), string(h.Fields[i].Value))
	}
	return r
}

// refuseFile answers a request that gets no file.
func (g *gateway) refuseFile(w http.ResponseWriter, r *http.Request, status int, cause error) {
	state := asked{accept: []byte(strings.Join(r.Header["Accept"], ","))}
	if g.marks.id {
		state.id = []byte(r.Header.Get(g.marks.idName))
	}
	g.identify(&state)
	a := ownAnswer{status: status, text: fileTexts[status]}
	if cause != nil && g.failed.admit() {
		g.log.Warn("file could not be served", "request", string(state.id), "path", hclog.Quote(r.URL.Path), "status", status, "error", cause)
	}
	kind, page := a.page(state.accept, state.id)
	fields := w.Header()
	fields.Set("Content-Type", kind)
	fields.Set("Content-Length", strconv.Itoa(len(page)))
	fields.Set("Cache-Control", "no-store")
	fields.Set(string(state.field), string(state.id))
	if status == http.StatusServiceUnavailable {
		fields.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(page) // that the client is gone is noticed by those who own the connection
}

// fileTexts are what clients are told.
var fileTexts = map[int]string{
	http.StatusForbidden:                    "This file may not be read.",
	http.StatusNotFound:                     "There is no such file.",
	http.StatusMethodNotAllowed:             "Files can only be read.",
	http.StatusPreconditionFailed:           "The file is not the one that was expected.",
	http.StatusRequestedRangeNotSatisfiable: "The file has no such part.",
	http.StatusServiceUnavailable:           "The server is busy.",
}

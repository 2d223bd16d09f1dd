package gateway

import (
	"net/http"
	"net/url"
	"time"

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

// serveStatic answers one request with a file. One for which there is none may
// be the application's, and goes on as any other.
func (x *exchange) serveStatic() {
	var h http1.Head
	rules := x.gateway.config.rules()
	complete, err := x.origin.parse(x.conn, &h, x.data, &rules)
	if err == nil {
		err = x.gateway.admit(&x.origin, x.conn, &h)
	}
	if err != nil || !complete {
		x.refuse(errBadReply) // the loop has parsed the same bytes a moment ago
		return
	}
	bodied := h.Chunked || h.ContentLength > 0
	w := &httpWriter{x: x, header: http.Header{}, state: asked{
		head:  string(h.Method) == "HEAD",
		minor: uint8(h.Minor),
		keep:  h.KeepAlive && x.gateway.config.KeepAlive > 0 && !bodied && !x.gateway.draining.Load(),
	}}
	if !x.gateway.site.Serve(w, x.httpRequest(&h)) {
		x.serveRequest()
		return
	}
	x.data = x.data[h.Size:] // a body that follows is not read: the connection ends
	w.finish()
	x.keep = w.state.keep && !x.broken
	if x.gateway.access != nil {
		var line logLine
		line.ask(&x.origin, &h)
		line.log(x.gateway.access, w.status, w.size)
	}
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
	if cause != nil {
		g.log.Warn("file could not be served", "path", r.URL.Path, "status", status, "error", cause)
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

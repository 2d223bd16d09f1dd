package metrics

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// page is the page for a person. Everything it needs is in it; what it may run is
// named by its digest in the policy that goes with it.
type page struct {
	source Source
	form   *template.Template
	policy string
}

func newPage(source Source) *page {
	return &page{
		source: source,
		form:   template.Must(template.New("page").Funcs(formats()).Parse(pageText)),
		policy: "default-src 'none'; connect-src 'self'; style-src " + digest(pageStyle) + "; script-src " + digest(pageScript) +
			"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// digest names a text of the page (CSP level 3, section 2.3.1).
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// view is what the page is made of.
type view struct {
	*Facts
	Style  template.CSS
	Script template.JS
	Charts []chart
}

// ServeHTTP answers with the page, or with ?part=main with the part of it that
// changes.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, err := measured(p.source, r)
	if err != nil {
		refuse(w, err)
		return
	}
	name := "page"
	if r.URL.Query().Get("part") == "main" {
		name = "main"
	}
	var text bytes.Buffer
	v := view{Facts: f, Style: template.CSS(pageStyle), Script: template.JS(pageScript), Charts: charts(f)}
	if err := p.form.ExecuteTemplate(&text, name, v); err != nil {
		http.Error(w, "make the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = text.WriteTo(w) // a client that left needs none
}

package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Patience is how long an answer waits for the facts.
const Patience = time.Second

// Handler answers all paths of the admin listener.
func Handler(source Source) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", Exporter(source))
	mux.Handle("GET /livez", probe(source, func(f *Facts) string { return f.Ill }))
	mux.Handle("GET /readyz", probe(source, func(f *Facts) string { return f.NotReady }))
	mux.Handle("GET /status", newPage(source))
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, r *http.Request) {
		f, err := measured(source, r)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		text, err := json.MarshalIndent(f, "", " ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(append(text, '\n')) // a client that left needs none
	})
	mux.Handle("GET /{$}", http.RedirectHandler("status", http.StatusFound))
	return mux
}

// Exporter answers with the metrics alone, in Prometheus' text format or as
// OpenMetrics, whichever is asked for.
func Exporter(source Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := measured(source, r)
		if err != nil {
			refuse(w, err)
			return
		}
		f.told = f.gather(r.Context())
		registry := prometheus.NewRegistry()
		registry.MustRegister(collector{f}) // the first of a registry cannot be refused
		all := prometheus.Gatherers{registry, f.told}
		promhttp.HandlerFor(all, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
	})
}

// probe answers 200, or 503 with the reason that why gives.
func probe(source Source, why func(*Facts) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := ask(source, r)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		reason := ""
		if err != nil {
			reason = err.Error()
		} else {
			reason = why(f)
		}
		if reason != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, reason) // a client that left needs none
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
}

func ask(source Source, r *http.Request) (*Facts, error) {
	ctx, cancel := context.WithTimeout(r.Context(), Patience)
	defer cancel()
	return source(ctx)
}

// measured is ask with what processes use.
func measured(source Source, r *http.Request) (*Facts, error) {
	f, err := ask(source, r)
	if err == nil {
		f.Measure()
	}
	return f, err
}

func refuse(w http.ResponseWriter, why error) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, why.Error(), http.StatusServiceUnavailable)
}

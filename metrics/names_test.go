package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var metricName = regexp.MustCompile(`\bindrik_[a-z0-9_]+`)

// What the dashboard asks for is there, and what is there is documented.
func TestNamesInDashboardAndDocuments(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{busy()})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		there[name], there[name+"_bucket"] = true, len(f.GetMetric()) > 0 && f.GetMetric()[0].GetHistogram() != nil
		if short := strings.TrimPrefix(name, "indrik_"); !strings.Contains(string(text), "`"+short+"`") && !strings.Contains(string(text), "`"+short+"{") {
			t.Errorf("docs/metrics.md does not say what %s is", name)
		}
	}
	board, err := os.ReadFile("../examples/grafana/indrik.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(board, &dashboard); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, name := range metricName.FindAllString(target.Expr, -1) {
				if asked++; !there[name] {
					t.Errorf("the panel %q asks for %s, which is not there", p.Title, name)
				}
			}
		}
	}
	for _, name := range metricName.FindAllString(string(text), -1) {
		if !there[name] {
			t.Errorf("docs/metrics.md has %s, which is not there", name)
		}
	}
	if asked < 20 {
		t.Errorf("the dashboard asks for %d metrics only", asked)
	}
}

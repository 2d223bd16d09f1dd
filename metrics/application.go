package metrics

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Application gives the metrics that the application counts itself, in Prometheus' text
// format. It takes as long as it takes within limits of its own, and may be called by several
// goroutines at a time.
type Application func(ctx context.Context) ([]byte, error)

// prefix is that of our own metrics.
const prefix = "indrik_"

// gathered is what came of the application's metrics.
type gathered struct {
	families []*dto.MetricFamily
	failed   bool
}

// Gather gives what was told, to be merged with ours. It is a [prometheus.Gatherer].
func (g *gathered) Gather() ([]*dto.MetricFamily, error) {
	if g == nil {
		return nil, nil
	}
	return g.families, nil
}

// gather asks the application for its metrics; nil if it counts none. Ours are there
// whatever comes of it, and a name that begins as ours do is ours.
func (f *Facts) gather(ctx context.Context) *gathered {
	if f.Application == nil {
		return nil
	}
	text, err := f.Application(ctx)
	if err != nil {
		return &gathered{failed: true}
	}
	families, err := parse(text)
	return &gathered{families, err != nil}
}

// parse reads metrics, and leaves those out that have our names. What was read before
// something that cannot be read counts.
func parse(text []byte) (all []*dto.MetricFamily, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		err = fmt.Errorf("read the application's metrics: %w", err)
	}
	for name, family := range families {
		if !strings.HasPrefix(name, prefix) && len(family.GetMetric()) > 0 {
			all = append(all, family)
		}
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all, err
}

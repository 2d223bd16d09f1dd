package control

import (
	"math"
	"testing"
)

func TestQuantiles(t *testing.T) {
	bounds := []float64{0.01, 0.1, 1}
	for _, c := range []struct {
		name   string
		counts []uint64
		q      float64
		want   float64
		known  bool
	}{
		{"nothing", []uint64{0, 0, 0, 0}, 0.5, 0, false},
		{"all in the first", []uint64{10, 0, 0, 0}, 0.5, 0.005, true},
		{"half in the first", []uint64{5, 5, 0, 0}, 0.5, 0.01, true},
		{"an empty one between", []uint64{5, 0, 5, 0}, 0.9, 0.1 + 0.9*0.8, true},
		{"beyond all bounds", []uint64{1, 0, 0, 99}, 0.99, 1, true},
		{"not a histogram", []uint64{1, 2}, 0.5, 0, false},
	} {
		got, known := Histogram{bounds, c.counts}.Quantile(c.q)
		if known != c.known || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %v, %v, want %v, %v", c.name, got, known, c.want, c.known)
		}
	}
}

// A service that is not the one from before may have counted less.
func TestWhatWasCountedSince(t *testing.T) {
	now := Histogram{[]float64{1}, []uint64{5, 7}}
	for _, c := range []struct{ before, want []uint64 }{
		{[]uint64{2, 7}, []uint64{3, 0}},
		{[]uint64{9, 0}, []uint64{0, 7}},
		{nil, []uint64{0, 0}},
	} {
		if got := now.Since(Histogram{now.Bounds, c.before}); got.Counts[0] != c.want[0] || got.Counts[1] != c.want[1] {
			t.Errorf("since %v: got %v, want %v", c.before, got.Counts, c.want)
		}
	}
}

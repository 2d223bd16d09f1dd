package metrics

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// ofPrograms are the facts of a service whose workers are programs.
func ofPrograms() *Facts {
	began := time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC)
	return &Facts{
		At: began.Add(time.Minute), Name: "server", Program: []string{"./server", "--greet=<b>"}, Version: "1.2.3", PID: nobody, Began: began,
		Stage: "serving", Words: "serving: 2 workers", Generation: 1, Generations: 1, Wanted: 2,
		Workers: []Worker{
			{Generation: 1, Slot: 0, PID: 10, Phase: "idle", Says: "all <well>", Busy: -1, RequestAge: -1, BeatAge: Seconds(time.Second)},
			{Generation: 1, Slot: 1, PID: 11, Phase: "idle", Busy: -1, RequestAge: -1, BeatAge: -1},
		},
		Processes: []Process{{Role: "master", PID: nobody}},
		Ends:      map[string]uint64{"signalled": 1},
	}
}

// Of programs nothing is told that nobody knows: no figure of requests or clients, in
// whatever form.
func TestOfProgramsOnlyWhatIsKnown(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{ofPrograms()})
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, strings.TrimPrefix(f.GetName(), "indrik_"))
		for _, unknown := range []string{"request", "connection", "sent_", "received_", "seats", "queue", "tls", "websocket", "takeover", "gateway"} {
			if strings.Contains(f.GetName(), unknown) {
				t.Errorf("%s is told of programs", f.GetName())
			}
		}
	}
	for _, want := range []string{"workers", "workers_wanted", "worker_ends_total", "worker_resident_bytes", "worker_beat_age_seconds", "alive", "ready", "reloads_total", "generation"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %q", want, names)
		}
	}
	page := get(t, now(ofPrograms()), "/status").Body.String()
	for _, want := range []string{"./server --greet=&lt;b&gt;", "all &lt;well&gt;", "<th class=\"text\">Says</th>", "signalled"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, unknown := range []string{"Clients", "Received", "Seats", "Answer", "class=\"charts\""} {
		if strings.Contains(page, unknown) {
			t.Errorf("the page has %q", unknown)
		}
	}
	if text := get(t, now(ofPrograms()), "/status.json").Body.String(); strings.Contains(text, `"gateway"`) || strings.Contains(text, `"counts"`) || strings.Contains(text, `"seats": {`) {
		t.Errorf("status.json tells what nobody knows: %s", text)
	}
}

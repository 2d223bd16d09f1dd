package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// nobody is a number that no process has.
const nobody = 1<<22 + 1

// busy are the facts of a service about which there is something to say.
func busy() *Facts {
	began := time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC)
	h := Histogram{Bounds: []float64{0.001, 0.01, 0.1}, Buckets: []uint64{5, 3, 1, 1}, Sum: 1.25}
	f := &Facts{
		At: began.Add(time.Minute), Name: "shop <b>", Version: "1.2.3", PID: nobody, Began: began, Stage: "serving", Words: "serving: 2 workers",
		Generation: 2, Generations: 2, Wanted: 3, Seats: Seats{All: 2, Busy: 1},
		Workers: []Worker{
			{Generation: 1, Slot: 0, PID: 10, Phase: "draining", Seats: 1, Busy: 1, RequestAge: Seconds(1500 * time.Millisecond), BeatAge: 0, Answered: 7},
			{Generation: 2, Slot: 0, PID: 11, Phase: "idle", Seats: 1, RequestAge: -1, BeatAge: Seconds(time.Second)},
			{Generation: 2, Slot: 1, Phase: "vacant", RequestAge: -1, BeatAge: -1, Seats: 1},
		},
		Gateway: Gateway{Serving: true, Connections: 4, Queued: 2, Oldest: Seconds(250 * time.Millisecond), Dispatched: 2, BeatAges: []Seconds{1, 2}},
		Counts: Counts{
			Requests: []Request{{"http/1.1", "2xx", 8}, {"http/1.1", "5xx", 2}, {"http/2", "2xx", 3}},
			Latency:  h, Wait: h, Received: 1000, Sent: 2000, Accepted: 4, Refused: map[string]uint64{"queue_full": 2, "malformed": 0},
		},
		Processes: []Process{{Role: "master", PID: nobody}, {Role: "mold", PID: 8}, {Role: "mold", PID: 9}},
		Ends:      map[string]uint64{"asked": 3, "timeout": 1}, Restarts: map[string]uint64{"gateway": 1},
		Reloads: Reloads{Done: 1, Failed: 1, Time: Seconds(time.Second), Last: &Reload{At: began, Failed: "no module <named> x"}},
	}
	for i := range 5 {
		f.History = append(f.History, Sample{At: began.Add(time.Duration(i) * SampleEvery), Answered: uint64(10 * i), Failed: uint64(i), Latency: []uint64{uint64(i), 0, 0, 0}, Busy: i % 2})
	}
	return f
}

func now(f *Facts) Source { return func(context.Context) (*Facts, error) { return f.Clone(), nil } }

func get(t *testing.T, source Source, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(source).ServeHTTP(w, r)
	return w
}

// Names, units and types follow the rules that Prometheus' own tools check, and no
// metric comes twice.
func TestMetricsAreLawful(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{busy()})
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for name, want := range map[string]string{
		"indrik_requests_total": `
# HELP indrik_requests_total Requests that were answered, by protocol and class of the status.
# TYPE indrik_requests_total counter
indrik_requests_total{protocol="http/1.1",status="2xx"} 8
indrik_requests_total{protocol="http/1.1",status="5xx"} 2
indrik_requests_total{protocol="http/2",status="2xx"} 3
`,
		"indrik_request_duration_seconds": `
# HELP indrik_request_duration_seconds Time from the head of a request to the last byte of its answer.
# TYPE indrik_request_duration_seconds histogram
indrik_request_duration_seconds_bucket{le="0.001"} 5
indrik_request_duration_seconds_bucket{le="0.01"} 8
indrik_request_duration_seconds_bucket{le="0.1"} 9
indrik_request_duration_seconds_bucket{le="+Inf"} 10
indrik_request_duration_seconds_sum 1.25
indrik_request_duration_seconds_count 10
`,
		"indrik_workers": `
# HELP indrik_workers Workers by phase, of all generations; vacant are slots of the one that serves whose worker is yet to come.
# TYPE indrik_workers gauge
indrik_workers{phase="aborting"} 0
indrik_workers{phase="busy"} 0
indrik_workers{phase="draining"} 1
indrik_workers{phase="idle"} 1
indrik_workers{phase="killed"} 0
indrik_workers{phase="starting"} 0
indrik_workers{phase="vacant"} 2
`,
	} {
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), name); err != nil {
			t.Error(err)
		}
	}
}

func TestMetricsInBothFormats(t *testing.T) {
	w := get(t, now(busy()), "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	if families, err := parser.TextToMetricFamilies(w.Body); err != nil || len(families) < 40 {
		t.Errorf("%d families, %v", len(families), err)
	}
	w = get(t, now(busy()), "/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Errorf("OpenMetrics came as %q", kind)
	}
}

func TestProbes(t *testing.T) {
	ill, away := busy(), busy()
	ill.Ill, ill.NotReady = "no worker can take work", "no worker can take work"
	away.NotReady = "draining"
	stuck := func(ctx context.Context) (*Facts, error) {
		<-ctx.Done()
		return nil, errors.New("nobody answers")
	}
	for _, c := range []struct {
		source Source
		path   string
		status int
		text   string
	}{
		{now(busy()), "/livez", 200, "ok\n"}, {now(busy()), "/readyz", 200, "ok\n"},
		{now(ill), "/livez", 503, "no worker can take work\n"}, {now(ill), "/readyz", 503, "no worker can take work\n"},
		{now(away), "/livez", 200, "ok\n"}, {now(away), "/readyz", 503, "draining\n"},
		{stuck, "/livez", 503, "nobody answers\n"}, {stuck, "/readyz", 503, "nobody answers\n"},
		{stuck, "/metrics", 503, "nobody answers\n"}, {stuck, "/status", 503, "nobody answers\n"}, {stuck, "/status.json", 503, "nobody answers\n"},
	} {
		began := time.Now()
		if w := get(t, c.source, c.path); w.Code != c.status || w.Body.String() != c.text {
			t.Errorf("%s: %d %q, want %d %q", c.path, w.Code, w.Body, c.status, c.text)
		}
		if took := time.Since(began); took > Patience+5*time.Second {
			t.Errorf("%s took %v", c.path, took)
		}
	}
	if w := get(t, now(busy()), "/"); w.Code != http.StatusFound || w.Header().Get("Location") != "/status" {
		t.Errorf("/: %d to %q", w.Code, w.Header().Get("Location"))
	}
	r := httptest.NewRecorder()
	Handler(now(busy())).ServeHTTP(r, httptest.NewRequest(http.MethodPost, "/metrics", nil))
	if r.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", r.Code)
	}
}

// The page says what the facts say, foreign text is only text there, and whatever
// is not its own is forbidden.
func TestThePage(t *testing.T) {
	w := get(t, now(busy()), "/status")
	text := w.Body.String()
	for _, want := range []string{
		"<!DOCTYPE html>", "shop &lt;b&gt;", "no module &lt;named&gt; x", "serving: 2 workers", `<span class="phase draining">draining</span>`,
		"refused: queue full", "gateway replaced", "timeout", `<path class="line bad"`, "1.5 s", ">ready<",
		"<style>" + pageStyle + "</style>", "<script>" + pageScript + "</script>", // what the policy has the digests of
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for _, evil := range []string{"<b>", "style=", "onclick", "http://", "https://"} {
		if strings.Contains(text, evil) {
			t.Errorf("%q is on the page", evil)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", digest(pageStyle), digest(pageScript), "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy is %q, without %q", policy, want)
		}
	}
	part := get(t, now(busy()), "/status?part=main").Body.String()
	if strings.Contains(part, "<html") || !strings.Contains(text, strings.TrimSpace(part)) {
		t.Error("the part that is fetched again is not that of the page")
	}
	if bare := get(t, now(&Facts{}), "/status"); bare.Code != 200 {
		t.Errorf("without anything to say: %d %s", bare.Code, bare.Body)
	}
	var facts map[string]any
	if err := json.Unmarshal(get(t, now(busy()), "/status.json").Body.Bytes(), &facts); err != nil || facts["generation"] != 2.0 {
		t.Errorf("status.json: %v, %v", err, facts["generation"])
	}
}

func TestQuantiles(t *testing.T) {
	bounds := []float64{0.001, 0.01, 0.1}
	for _, c := range []struct {
		counts []uint64
		q      float64
		want   float64
	}{
		{[]uint64{0, 0, 0, 0}, 0.5, 0},
		{[]uint64{10, 0, 0, 0}, 0.5, 0.0005},
		{[]uint64{0, 10, 0, 0}, 1, 0.01},
		{[]uint64{50, 50, 0, 0}, 0.75, 0.0055},
		{[]uint64{0, 0, 0, 3}, 0.95, 0.1}, // beyond the last bound nothing is known
		{[]uint64{0, 0, 4, 0}, 0, 0.01},
	} {
		if got := quantile(c.counts, bounds, c.q); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("of %v, %v: %v, want %v", c.counts, c.q, got, c.want)
		}
	}
	samples := []Sample{{Latency: []uint64{1, 0, 0, 0}}, {Latency: []uint64{1, 2, 0, 0}}, {Latency: nil}}
	if got := quantiles(samples, bounds, 1); len(got) != 2 || math.Abs(got[0]-0.01) > 1e-9 || got[1] != 0 {
		t.Errorf("between samples: %v", got)
	}
}

func TestHistoryForgets(t *testing.T) {
	var h History
	began := time.Now()
	for i := range 3 * historyLen {
		at := began.Add(time.Duration(i) * SampleEvery)
		if !h.Due(at) || i > 0 && h.Due(at.Add(-time.Millisecond)) {
			t.Fatalf("sample %d: due at the wrong time", i)
		}
		h.Add(Sample{At: at, Answered: uint64(4 * i)})
	}
	s := h.Samples()
	if len(s) != historyLen || s[len(s)-1].Answered != 4*(3*historyLen-1) {
		t.Fatalf("%d samples, the last %+v", len(s), s[len(s)-1])
	}
	if answered, _ := rates(s); len(answered) != historyLen-1 || answered[0] != 2 {
		t.Errorf("rates %v", answered)
	}
}

// What a process uses is read of a real one, whose use is known.
func TestUseOfProcesses(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	pid := cmd.Process.Pid
	var u Use
	for limit := time.Now().Add(20 * time.Second); time.Duration(u.CPU) < 200*time.Millisecond; time.Sleep(10 * time.Millisecond) { // time is what is measured
		var ok bool
		if u, ok = UseOf(pid, os.Getpid()); !ok || time.Now().After(limit) {
			t.Fatalf("a process that spins uses %+v, %v", u, ok)
		}
	}
	if u.Resident < 100<<10 || u.Resident > 100<<20 {
		t.Errorf("a shell has %d bytes of memory", u.Resident)
	}
	if _, ok := UseOf(pid, 1); ok {
		t.Error("the use of somebody else's child was told")
	}
	f := Facts{PID: os.Getpid(), Processes: []Process{{Role: "master", PID: os.Getpid()}}, Workers: []Worker{{PID: pid}, {PID: nobody}, {}}}
	f.Measure()
	if f.Processes[0].Resident == 0 || f.Workers[0].Resident == 0 || f.Workers[1].Use != (Use{}) || f.Workers[2].Use != (Use{}) {
		t.Errorf("measured %+v", f)
	}
	if u, ok := parseStat([]byte("7 (a) b (c)) S 5 7 7 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 1 0 100 1000 25 0"), 5); !ok ||
		time.Duration(u.CPU) != 2*time.Second || u.Resident != 25*int64(os.Getpagesize()) {
		t.Errorf("of a line of the kernel: %+v, %v", u, ok)
	}
	if _, ok := parseStat([]byte("7 (a"), 0); ok {
		t.Error("half a line was read")
	}
}

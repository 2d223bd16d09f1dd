package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector gives facts to a registry, which checks that they are lawful.
type collector struct{ facts *Facts }

// Describe says nothing: what there is, is known when there are facts.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends everything.
func (c collector) Collect(to chan<- prometheus.Metric) {
	f := c.facts
	w := writer{to}
	w.service(f)
	if len(f.Program) == 0 { // else nobody of ours knows
		w.requests(&f.Counts)
		w.connections(f)
		w.seats(f.Seats)
	}
	w.workers(f)
	w.reloads(&f.Reloads)
	w.processes(f)
}

// writer sends metrics. Names and labels are all here, so that a mistake in them is
// one of ours, which a test finds.
type writer struct{ to chan<- prometheus.Metric }

// labels are names and values in turn.
type labels []string

func (w writer) send(kind prometheus.ValueType, name, help string, value float64, l labels) {
	names, values := make([]string, 0, len(l)/2), make([]string, 0, len(l)/2)
	for i := 0; i < len(l); i += 2 {
		names, values = append(names, l[i]), append(values, l[i+1])
	}
	desc := prometheus.NewDesc("indrik_"+name, help, names, nil)
	metric, err := prometheus.NewConstMetric(desc, kind, value, values...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	w.to <- metric
}

func (w writer) counter(name, help string, value uint64, l ...string) {
	w.send(prometheus.CounterValue, name, help, float64(value), l)
}

func (w writer) gauge(name, help string, value float64, l ...string) {
	w.send(prometheus.GaugeValue, name, help, value, l)
}

func (w writer) histogram(name, help string, h Histogram) {
	buckets, count := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, bound := range h.Bounds {
		count += h.Buckets[i]
		buckets[bound] = count
	}
	desc := prometheus.NewDesc("indrik_"+name, help, nil, nil)
	metric, err := prometheus.NewConstHistogram(desc, h.Count(), h.Sum, buckets)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	w.to <- metric
}

func seconds(s Seconds) float64 { return time.Duration(s).Seconds() }

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (w writer) service(f *Facts) {
	w.gauge("info", "The service; always 1.", 1, "version", f.Version, "app", f.Name)
	w.gauge("start_time_seconds", "When the service began, in Unix time.", float64(f.Began.UnixMilli())/1000)
	w.gauge("alive", "1 if the service is well, by the same judgement as systemd's watchdog is told.", truth(f.Ill == ""))
	w.gauge("ready", "1 if the service takes requests.", truth(f.NotReady == ""))
	w.gauge("generation", "The number of the generation that serves.", float64(f.Generation))
	w.gauge("generations", "Generations that have processes: more than one during a reload.", float64(f.Generations))
	if f.told != nil {
		w.gauge("application_metrics", "1 if the application's own metrics could be collected for this scrape.", truth(!f.told.failed))
	}
	w.gauge("watchdog_withheld", "1 while pings to systemd's watchdog are withheld.", truth(f.Watchdog.Withheld))
}

func (w writer) requests(c *Counts) {
	for _, r := range c.Requests {
		w.counter("requests_total", "Requests that were answered, by protocol and class of the status.", r.Count, "protocol", r.Protocol, "status", r.Class)
	}
	for reason, n := range c.Refused {
		w.counter("refusals_total", "Responses that the gateway gave itself and connections that it turned away, by reason.", n, "reason", reason)
	}
	w.counter("requests_abandoned_total", "Requests whose client left before the answer.", c.Abandoned)
	w.histogram("request_duration_seconds", "Time from the head of a request to the last byte of its answer.", c.Latency)
	w.histogram("queue_wait_seconds", "Time that requests were queued before they were given to a worker.", c.Wait)
	w.counter("received_bytes_total", "Bytes from clients.", c.Received)
	w.counter("sent_bytes_total", "Bytes to clients.", c.Sent)
}

func (w writer) connections(f *Facts) {
	c, g := &f.Counts, &f.Gateway
	w.counter("connections_accepted_total", "Connections of clients that were accepted.", c.Accepted)
	w.gauge("connections", "Clients that are connected.", float64(g.Connections))
	w.counter("http2_connections_total", "Connections that spoke HTTP/2.", c.HTTP2)
	w.gauge("http2_connections", "Clients that are connected by HTTP/2.", float64(g.HTTP2))
	w.counter("tls_handshakes_total", "TLS handshakes.", c.Handshakes, "result", "done")
	w.counter("tls_handshakes_total", "TLS handshakes.", c.BadHandshakes, "result", "failed")
	w.counter("websockets_total", "WebSocket conversations that were begun.", c.WebSockets)
	w.gauge("websockets", "WebSocket conversations that go on.", float64(g.WebSockets))
	w.counter("takeovers_total", "Connections that WSGI applications took over.", c.Takeovers)
	w.gauge("takeovers", "Connections that WSGI applications have.", float64(g.Takeovers))
	w.gauge("queue_requests", "Requests that wait in the gateway.", float64(g.Queued))
	w.gauge("queue_oldest_seconds", "How long the first of them waits.", max(seconds(g.Oldest), 0))
	w.gauge("dispatched_requests", "Requests that workers have, or that wait in their lanes.", float64(g.Dispatched))
	for i, age := range g.BeatAges {
		w.gauge("gateway_beat_age_seconds", "Time since a loop of the gateway gave a sign of life.", seconds(age), "loop", strconv.Itoa(i))
	}
}

func (w writer) workers(f *Facts) {
	phases := map[string]int{"vacant": 0, "starting": 0, "idle": 0, "busy": 0, "draining": 0, "aborting": 0, "killed": 0}
	present := 0
	for i := range f.Workers {
		worker := &f.Workers[i]
		phases[worker.Phase]++
		if worker.Generation == f.Generation && worker.Phase != "vacant" {
			present++
		}
		w.worker(worker, len(f.Program) > 0)
	}
	phases["vacant"] = max(f.Wanted-present, 0)
	for phase, n := range phases {
		w.gauge("workers", "Workers by phase, of all generations; vacant are slots of the one that serves whose worker is yet to come.", float64(n), "phase", phase)
	}
	w.gauge("workers_wanted", "Workers that the generation that serves is to have.", float64(f.Wanted))
	for cause, n := range f.Ends {
		w.counter("worker_ends_total", "Workers that ended, by cause.", n, "cause", cause)
	}
	for process, n := range f.Restarts {
		w.counter("restarts_total", "Gateways and molds that ended and were replaced.", n, "process", process)
	}
}

func (w writer) seats(s Seats) {
	w.gauge("seats", "Requests that the ready workers take at a time.", float64(s.All))
	w.gauge("seats_busy", "Seats that have one.", float64(s.Busy))
}

// worker sends what is known of one; of a program nothing about requests.
func (w writer) worker(f *Worker, program bool) {
	if f.PID == 0 {
		return
	}
	l := []string{"generation", strconv.Itoa(f.Generation), "slot", strconv.Itoa(f.Slot)}
	w.send(prometheus.CounterValue, "worker_cpu_seconds_total", "Processor time of the worker in a slot.", seconds(f.CPU), l)
	w.gauge("worker_resident_bytes", "Memory of the worker in a slot; what workers share counts in each.", float64(f.Resident), l...)
	if !program {
		w.counter("worker_requests_total", "Requests that the worker in a slot has answered.", f.Answered, l...)
		w.gauge("worker_request_age_seconds", "How long the worker in a slot has had the oldest of its requests; 0 if it has none.", max(seconds(f.RequestAge), 0), l...)
	}
	if f.BeatAge >= 0 {
		w.gauge("worker_beat_age_seconds", "Time since the worker in a slot gave a sign of life.", seconds(f.BeatAge), l...)
	}
}

func (w writer) reloads(r *Reloads) {
	w.counter("reloads_total", "Reloads by result.", r.Done, "result", "done")
	w.counter("reloads_total", "Reloads by result.", r.Failed, "result", "failed")
	w.send(prometheus.CounterValue, "reload_duration_seconds_total", "Time that reloads took until the new generation had the traffic.", seconds(r.Time), nil)
	if r.Last != nil {
		w.gauge("reload_last_failed", "1 if the last reload failed.", truth(r.Last.Failed != ""))
		w.gauge("reload_last_time_seconds", "When the last reload ended, in Unix time.", float64(r.Last.At.UnixMilli())/1000)
	}
}

// processes sends what processes that are no workers use: of those of one role,
// as molds of two generations, together.
func (w writer) processes(f *Facts) {
	cpu, resident := map[string]Seconds{}, map[string]int64{}
	for _, p := range f.Processes {
		cpu[p.Role] += p.CPU
		resident[p.Role] += p.Resident
	}
	for role := range cpu {
		w.send(prometheus.CounterValue, "process_cpu_seconds_total", "Processor time of processes that are no workers.", seconds(cpu[role]), labels{"process", role})
		w.gauge("process_resident_bytes", "Memory of processes that are no workers.", float64(resident[role]), "process", role)
	}
}

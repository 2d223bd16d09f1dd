package master

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/metrics"
	"github.com/indrik/indrik/pool"
)

// tolls are what was counted since the service began. They outlive generations,
// gateways and images of the master; as JSON they are a part of its state.
type tolls struct {
	Gateways gateway.Figures `json:"gateways"` // of those whose memory is gone
	desk.Tolls
}

// figures are what all gateways have counted.
func (m *master) figures() gateway.Figures {
	f := m.tolls.Gateways
	for _, gt := range m.gates() {
		f.Add(gt.counts)
	}
	return f
}

// remember adds what a gateway counted whose memory is about to go.
func (t *tolls) remember(gt *gate) {
	gateway.Forget(gt.counts)
	t.Gateways.Add(gt.counts)
}

// view is a copy of the state for those outside of the loop.
func (m *master) view(now time.Time) *metrics.Facts {
	g := m.gen
	figures := m.figures()
	f := &metrics.Facts{
		At: now, Name: m.name(), Version: m.cfg.Version, PID: m.cfg.PID, Began: m.began, Stage: m.stage.String(), Words: m.words(),
		Ill: m.illness(now), Generation: g.number, Generations: len(m.generations()), Wanted: g.wanted,
		Gateway: m.viewGateway(&figures), Counts: counts(&figures),
		Watchdog: metrics.Watchdog{Interval: metrics.Seconds(m.voice.Watchdog()), Withheld: m.voice.Withheld() != ""},
		History:  m.history.Samples(),
	}
	m.tolls.Tell(f)
	f.Application = m.application()
	f.NotReady = m.unreadiness(f.Ill)
	for _, g := range m.generations() {
		if !g.parked { // else nobody counts on them
			f.Workers = append(f.Workers, g.view()...)
		}
	}
	f.Seats = m.seats(&f.Gateway)
	f.Processes = m.processes()
	return f
}

// illness is why systemd's watchdog would not be told that all is well; "" if it
// would. Nobody need watch.
func (m *master) illness(now time.Time) string {
	h := m.health(now)
	if m.voice.Watchdog() == 0 {
		h.silence = gatewaySilence
	}
	return h.verdict()
}

// unreadiness is why the service should be sent no requests; "" if it should.
func (m *master) unreadiness(ill string) string {
	switch {
	case m.stage != serving:
		return m.words()
	case m.farewell.Begun():
		return m.farewell.Words()
	case ill != "":
		return ill
	case !m.gen.gate.serving:
		return "the gateway is being restarted"
	case m.gen.count().ready == 0:
		return "no worker is ready"
	}
	return ""
}

// view is what is known of the generation's workers, by slot.
func (g *generation) view() (all []metrics.Worker) {
	now, seats := dispatch.Monotonic(), 0
	own := false
	if c := g.course.Load(); c != nil {
		seats, own = c.seats, c.own
	}
	for _, slot := range slices.Sorted(maps.Keys(g.workers)) {
		w := g.workers[slot]
		v := metrics.Worker{Generation: g.number, Slot: int(slot), PID: w.pid, Phase: w.phase.String(), Seats: seats, BeatAge: -1, RequestAge: -1}
		if w.pid != 0 {
			g.look(&v, now)
		}
		if own {
			v.Busy = -1
		}
		all = append(all, v)
	}
	return all
}

// look reads a worker's rows of the scoreboard.
func (g *generation) look(v *metrics.Worker, now int64) {
	beat, oldest := int64(0), int64(0)
	for seat := range g.board.Seats() {
		row := g.board.Seat(v.Slot, seat)
		v.Answered += row.Answered()
		beat = max(beat, row.Beat(), row.Life())
		if id, start := row.Request(); id != 0 {
			v.Busy++
			if oldest == 0 || start < oldest {
				oldest = start
			}
		}
	}
	if beat != 0 {
		v.BeatAge = metrics.Seconds(max(now-beat, 0))
	}
	if oldest != 0 {
		v.RequestAge = metrics.Seconds(max(now-oldest, 0))
	}
}

// seats adds up those of the generation that serves. Of workers with lanes of their
// own, only the gateway knows what they have.
func (m *master) seats(gw *metrics.Gateway) (s metrics.Seats) {
	for _, w := range m.gen.view() {
		if w.Phase == pool.Idle.String() || w.Phase == pool.Busy.String() {
			s.All += w.Seats
			s.Busy += max(w.Busy, 0)
		}
	}
	if c := m.gen.course.Load(); c != nil && c.own {
		s.Busy = min(gw.Dispatched, s.All)
	}
	return s
}

// processes are ours that are no workers.
func (m *master) processes() []metrics.Process {
	all := []metrics.Process{{Role: "master", PID: m.cfg.PID}}
	for _, c := range m.children() {
		all = append(all, metrics.Process{Role: c.name, PID: c.pid})
	}
	return all
}

// viewGateway reads the rows of the loops, of all gateways that there are.
func (m *master) viewGateway(f *gateway.Figures) metrics.Gateway {
	v := metrics.Gateway{
		Serving: m.gen.gate.serving, HTTP2: int(f.Now.HTTP2), WebSockets: int(f.Now.WebSockets), Takeovers: int(f.Now.Takeovers), Oldest: -1,
	}
	now, oldest := dispatch.Monotonic(), int64(0)
	for _, gt := range m.gates() {
		if gt.child == nil {
			continue // what is in its rows was so
		}
		for i := range gt.board.Loops() {
			row := gt.board.Loop(i)
			v.Connections += int(row.Connections())
			v.Queued += int(row.Queued())
			v.Dispatched += int(row.Dispatched())
			if since := row.Oldest(); since != 0 && (oldest == 0 || since < oldest) {
				oldest = since
			}
			if gt == m.gen.gate && row.Beat() != 0 {
				v.BeatAges = append(v.BeatAges, metrics.Seconds(max(now-row.Beat(), 0)))
			}
		}
	}
	if oldest != 0 {
		v.Oldest = metrics.Seconds(max(now-oldest, 0))
	}
	return v
}

// counts are figures as metrics tell them.
func counts(f *gateway.Figures) metrics.Counts {
	c := metrics.Counts{
		Abandoned: f.Abandoned, Latency: histogram(f.Latency), Wait: histogram(f.Wait), Received: f.Received, Sent: f.Sent,
		Accepted: f.Accepted, HTTP2: f.HTTP2, Handshakes: f.Handshakes, BadHandshakes: f.BadHandshakes,
		WebSockets: f.WebSockets, Takeovers: f.Takeovers, Refused: map[string]uint64{},
	}
	for protocol, classes := range f.Requests {
		for i, n := range classes {
			c.Requests = append(c.Requests, metrics.Request{Protocol: gateway.Protocol(protocol).String(), Class: strconv.Itoa(i+1) + "xx", Count: n})
		}
	}
	for _, reason := range gateway.Reasons() {
		c.Refused[reason.String()] = f.Refused[reason]
	}
	return c
}

func histogram(h gateway.Histogram) metrics.Histogram {
	out := metrics.Histogram{Buckets: slices.Clone(h.Buckets[:]), Sum: time.Duration(h.Sum).Seconds()}
	for _, bound := range gateway.Bounds() {
		out.Bounds = append(out.Bounds, bound.Seconds())
	}
	return out
}

// sample keeps what charts are drawn from, while somebody may look at them.
func (m *master) sample(now time.Time) {
	if !m.admin.Listens() || !m.history.Due(now) {
		return
	}
	f := m.figures()
	gw := m.viewGateway(&f)
	s := metrics.Sample{At: now, Latency: slices.Clone(f.Latency.Buckets[:]), Queued: gw.Queued, Busy: m.seats(&gw).Busy}
	for _, classes := range f.Requests {
		for class, n := range classes {
			if s.Answered += n; class == 4 {
				s.Failed += n
			}
		}
	}
	m.history.Add(s)
}

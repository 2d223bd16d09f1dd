package statsd

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// period is how long numbers are collected. Daemons aggregate over 10 s as a rule.
	period = time.Second
	// largestUDP is a datagram that no Ethernet has to take apart; of a Unix
	// socket daemons take more.
	largestUDP, largestUnix = 1432, 8192
	patience                = 200 * time.Millisecond
	// Port is where StatsD is spoken if an address does not say.
	Port = "8125"
)

// Config is where numbers go, and how they are called.
type Config struct {
	Network string `json:"network"` // of net.Dial: "udp" or "unixgram"
	Address string `json:"address"`
	Prefix  string `json:"prefix"` // before each name; a dot is put between
	Tags    string `json:"tags"`   // of DogStatsD, "name:value,…"; "" for plain StatsD
}

// Parse reads an address in Gunicorn's form: HOST[:PORT] or unix://PATH. The
// error is a reason and a remedy.
func Parse(text string) (Config, error) {
	if path, found := strings.CutPrefix(text, "unix://"); found {
		if path == "" {
			return Config{}, fmt.Errorf("%q names no socket; write unix://PATH", text)
		}
		return Config{Network: "unixgram", Address: path}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil { // without a port
		host, port = strings.Trim(text, "[]"), Port
	}
	number, err := strconv.Atoi(port)
	if host == "" || err != nil || number < 1 || number > 65535 || strings.ContainsAny(host, "/ ") {
		return Config{}, fmt.Errorf("%q is no address of StatsD; write HOST:PORT or unix://PATH", text)
	}
	return Config{Network: "udp", Address: net.JoinHostPort(host, port)}, nil
}

// Client sends numbers. Any goroutine may use it; a nil Client takes everything
// and does nothing.
type Client struct {
	config Config
	prefix string
	suffix string // with the tags
	poll   func(*Client)
	report func(error)
	stop   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	tally   Tally
	lines   []byte // whole metrics, each with a line feed
	dropped bool   // there was no room for one

	conn   net.Conn // of the goroutine
	failed bool     // the last datagram could not be sent
}

// room bounds metrics that wait, in bytes. A second brings a few hundred.
const room = 64 << 10

// New starts a client. Its goroutine calls poll, if it is not nil, each time
// before it sends; and report with an error when numbers begin to be lost, and
// with nil when they arrive again.
func New(c Config, poll func(*Client), report func(error)) *Client {
	k := &Client{config: c, poll: poll, report: report, stop: make(chan struct{}), done: make(chan struct{})}
	if prefix := strings.TrimRight(c.Prefix, "."); prefix != "" {
		k.prefix = prefix + "."
	}
	if c.Tags != "" {
		k.suffix = "|#" + c.Tags
	}
	go k.run()
	return k
}

// Logged adds lines of a log to Gunicorn's counters of them.
func (k *Client) Logged(errors, warnings int64) {
	if errors > 0 {
		k.Count("gunicorn.log.error", errors)
	}
	if warnings > 0 {
		k.Count("gunicorn.log.warning", warnings)
	}
}

// Count adds n to a counter.
func (k *Client) Count(name string, n int64) { k.metric(name, n, "c") }

// Gauge says what a number is now.
func (k *Client) Gauge(name string, value int64) { k.metric(name, value, "g") }

// Histogram adds an observation.
func (k *Client) Histogram(name string, value int64) { k.metric(name, value, "h") }

func (k *Client) metric(name string, value int64, kind string) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.lines) > room {
		k.dropped = true
		return
	}
	k.lines = append(append(k.lines, k.prefix...), name...)
	k.lines = strconv.AppendInt(append(k.lines, ':'), value, 10)
	k.lines = append(append(k.lines, '|'), kind...)
	k.lines = append(append(k.lines, k.suffix...), '\n')
}

// Request notes an answered request. A loop keeps a Tally instead.
func (k *Client) Request(status int, took time.Duration) {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.tally.Request(status, took)
	k.mu.Unlock()
}

// Add takes over what a tally holds, and clears it.
func (k *Client) Add(t *Tally) {
	if k == nil || t.requests == 0 {
		return
	}
	k.mu.Lock()
	k.tally.add(t)
	k.mu.Unlock()
	t.clear()
}

// Close sends what is left, but does not wait long.
func (k *Client) Close() {
	if k == nil {
		return
	}
	close(k.stop)
	<-k.done
}

func (k *Client) run() {
	defer close(k.done)
	tick := time.NewTicker(period)
	defer tick.Stop()
	var lines []byte
	for last := false; !last; {
		select {
		case <-tick.C:
		case <-k.stop:
			last = true
		}
		if k.poll != nil {
			k.poll(k)
		}
		k.mu.Lock()
		lines = k.tally.append(append(lines[:0], k.lines...), k.prefix, k.suffix)
		dropped := k.dropped
		k.lines, k.dropped = k.lines[:0], false
		k.tally.clear()
		k.mu.Unlock()
		k.send(lines, dropped)
	}
	if k.conn != nil {
		_ = k.conn.Close() // datagrams; what was sent is sent
	}
}

// send sends lines, as many as fit a datagram at a time.
func (k *Client) send(lines []byte, dropped bool) {
	largest := largestUDP
	if k.config.Network == "unixgram" {
		largest = largestUnix
	}
	var problem error
	if dropped {
		problem = fmt.Errorf("more than %d bytes of metrics in a second", room)
	}
	sent := len(lines) > 0
	for len(lines) > 0 && problem == nil {
		n := len(lines)
		if n > largest {
			for n = largest; n > 0 && lines[n-1] != '\n'; n-- {
			}
			if n == 0 { // one metric with tags beyond all measure
				problem = fmt.Errorf("a metric has more than %d bytes", largest)
				break
			}
		}
		problem = k.datagram(lines[:n-1])
		lines = lines[n:]
	}
	switch {
	case problem != nil && !k.failed:
		k.failed = true
		k.report(problem)
	case problem == nil && k.failed && sent:
		k.failed = false
		k.report(nil)
	}
}

func (k *Client) datagram(p []byte) (err error) {
	if k.conn == nil {
		if k.conn, err = net.DialTimeout(k.config.Network, k.config.Address, patience); err != nil {
			k.conn = nil
			return err
		}
	}
	_ = k.conn.SetWriteDeadline(time.Now().Add(patience)) // sockets have deadlines
	if _, err = k.conn.Write(p); err != nil {
		_ = k.conn.Close() // a daemon that is started again has another socket
		k.conn = nil
	}
	return err
}

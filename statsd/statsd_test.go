package statsd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// daemon listens as a StatsD daemon does; collect gives metrics that arrived.
func daemon(t *testing.T, network, address string) (Config, func(count int) []string) {
	t.Helper()
	ln, err := net.ListenPacket(network, address)
	need(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return Config{Network: network, Address: ln.LocalAddr().String()}, func(count int) (all []string) {
		t.Helper()
		buffer := make([]byte, 65536)
		need(t, ln.SetReadDeadline(time.Now().Add(10*time.Second)))
		for len(all) < count {
			n, _, err := ln.ReadFrom(buffer)
			if err != nil {
				t.Fatalf("%v after %q", err, all)
			}
			if limit := largestUDP; network == "udp" && n > limit {
				t.Errorf("a datagram of %d bytes", n)
			}
			all = append(all, strings.Split(string(buffer[:n]), "\n")...)
		}
		return all
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]Config{
		"localhost:8125":    {Network: "udp", Address: "localhost:8125"},
		"stats.example.org": {Network: "udp", Address: "stats.example.org:8125"},
		"[::1]:9":           {Network: "udp", Address: "[::1]:9"},
		"unix:///run/dsd":   {Network: "unixgram", Address: "/run/dsd"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":8125", "unix://", "host:0", "host:x", "udp://host:1"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestGunicornsNames(t *testing.T) {
	config, collect := daemon(t, "udp", "127.0.0.1:0")
	config.Prefix, config.Tags = "shop.", "env:test,zone:1"
	k := New(config, nil, func(err error) { t.Errorf("reported: %v", err) })
	var tally Tally
	tally.Request(200, 12345*time.Microsecond)
	tally.Request(200, time.Second)
	k.Add(&tally)
	k.Request(503, 0)
	k.Gauge("gunicorn.workers", 4)
	k.Count("gunicorn.log.error", 2)
	k.Histogram("gunicorn.backlog", 7)
	k.Close()
	want := []string{
		"gunicorn.backlog:7|h", "gunicorn.log.error:2|c", "gunicorn.request.duration:0.000|ms", "gunicorn.request.duration:1000.000|ms",
		"gunicorn.request.duration:12.345|ms", "gunicorn.request.status.200:2|c", "gunicorn.request.status.503:1|c", "gunicorn.requests:3|c",
		"gunicorn.workers:4|g",
	}
	for i, line := range want {
		want[i] = "shop." + line + "|#env:test,zone:1"
	}
	got := collect(len(want))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if tally.requests != 0 {
		t.Error("the tally was not cleared")
	}
}

// A busy service must not drown its network in numbers.
func TestManyTimesAreSampled(t *testing.T) {
	config, collect := daemon(t, "unixgram", filepath.Join(t.TempDir(), "dsd"))
	k := New(config, nil, func(err error) { t.Errorf("reported: %v", err) })
	var tally Tally
	const count = 20 * MaxTimes
	for i := range count {
		tally.Request(200, time.Duration(i)*time.Millisecond)
	}
	k.Add(&tally)
	go k.Close()
	sum := 0.0
	lines := collect(MaxTimes + 2)
	for _, line := range lines[2:] {
		text, found := strings.CutSuffix(line, fmt.Sprintf("|ms|@%.6f", float64(MaxTimes)/count))
		value, err := strconv.ParseFloat(strings.TrimPrefix(text, "gunicorn.request.duration:"), 64)
		if !found || err != nil {
			t.Fatalf("got %q", line)
		}
		sum += value
	}
	// The mean of the sample has a standard error of 1.3 % of the range.
	if mean := sum / MaxTimes; mean < count*0.42 || mean > count*0.58 {
		t.Errorf("the mean of the sample is %v, of all it is %v", mean, count/2)
	}
	if lines[0] != fmt.Sprintf("gunicorn.requests:%d|c", count) {
		t.Errorf("got %q", lines[0])
	}
}

func TestADaemonThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dsd")
	var reports atomic.Int32
	healed := make(chan struct{})
	k := New(Config{Network: "unixgram", Address: path}, nil, func(err error) {
		if reports.Add(1); err == nil {
			close(healed)
		}
	})
	defer k.Close()
	begun := time.Now()
	for range 10_000 {
		k.Count("x", 1)
		k.Request(200, 0)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v", took)
	}
	time.Sleep(2*period + period/2) // a report too many has no event
	if n := reports.Load(); n != 1 {
		t.Errorf("reported %d times, want once", n)
	}
	_, collect := daemon(t, "unixgram", path)
	k.Count("y", 1)
	if got := collect(1); got[0] != "y:1|c" {
		t.Errorf("got %q", got)
	}
	<-healed
	need(t, os.Remove(path))
}

func TestANilClientTakesEverything(t *testing.T) {
	var k *Client
	k.Request(200, 0)
	k.Count("x", 1)
	k.Add(&Tally{})
	k.Close()
}

func TestATallyAllocatesNothing(t *testing.T) {
	var tally Tally
	if n := testing.AllocsPerRun(2*MaxTimes, func() { tally.Request(200, time.Millisecond) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

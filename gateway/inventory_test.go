package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/dispatch"
)

// inventory asks the gateway what it has in hand.
func (g *rig) inventory(most int, ids ...uint64) (v Inventory, facts int) {
	g.t.Helper()
	number := dispatch.Monotonic()
	check(g.t, g.master.Send(RequestsOrder(number, most, ids)))
	for ; !v.Whole; facts++ {
		fact := <-g.facts
		if got, err := v.Read(fact); err != nil || fact[0] != FactRequests || got != number {
			g.t.Fatalf("the gateway said %v (%v), want the requests of question %d", fact, err, number)
		}
	}
	return v, facts
}

// paths are the paths of requests and where they stand, in their order.
func paths(all []InHand) string {
	var said []string
	for _, r := range all {
		said = append(said, r.Method+" "+r.Path+" "+r.Phase)
	}
	return strings.Join(said, ", ")
}

// What is in hand is told as it is, wherever it is: in the queue, in the lane, with a
// worker, on its way to the client.
func TestWhatIsInHand(t *testing.T) {
	g := newRig(t, func(c *Config) { c.RootPath = "/ignored" })
	if v, _ := g.inventory(10); len(v.Requests) != 0 || len(v.Loads) != 0 {
		t.Errorf("before the first request: %+v", v)
	}
	w := g.hire(0, nil)
	began := dispatch.Monotonic()
	g.asks("/streamed?secret=1")
	id, _, _, _, _ := w.take()
	pair, theirs, err := dispatch.SocketPair() // a stream of any kind will do to begin with
	check(t, err)
	defer closeFD(pair)
	w.send(dispatch.Tuple{id, "200 OK", fields(), nil, []byte("x")}, theirs)
	closeFD(theirs)
	waitFor(t, func() bool { v, _ := g.inventory(1); return paths(v.Requests) == "GET /streamed begun" })
	for i := range 4 { // one worker of one seat has two places
		g.asks(fmt.Sprintf("/%d", i))
		waitFor(t, func() bool { v, _ := g.inventory(10); return len(v.Requests) == i+2 })
	}
	v, _ := g.inventory(10)
	const all = "GET /streamed begun, GET /0 dispatched, GET /1 queued, GET /2 queued, GET /3 queued"
	if got := paths(v.Requests); got != all {
		t.Errorf("in hand are %s, want %s", got, all)
	}
	for _, r := range v.Requests {
		if r.Client != "127.0.0.1" || r.Began < began || r.Began > dispatch.Monotonic() || r.ID == 0 {
			t.Errorf("request: %+v", r)
		}
	}
	if first := v.Requests[0]; first.PID != w.pid || first.Generation != 1 || first.ID != uint64(id) {
		t.Errorf("the first is %+v, want worker %d", first, w.pid)
	}
	last := v.Requests[4].ID
	v, _ = g.inventory(2, last, v.Requests[0].ID, 12345)
	if got := paths(v.Requests); got != "GET /streamed begun, GET /0 dispatched, GET /3 queued" {
		t.Errorf("two and one that was named are %s", got)
	}
	w.send(dispatch.Tuple{id, nil, true, ""})
	go w.work(text("done"))
	waitFor(t, func() bool { v, _ := g.inventory(10); return len(v.Requests) == 0 })
}

// Of each worker with a lane of its own the oldest request is told, and how many it has;
// more requests than one message can tell of come in several.
func TestInventoryOfWorkersWithLanesOfTheirOwn(t *testing.T) {
	const each = 60
	g := newOwnRig(t, "asgi", each, func(c *Config) { c.Loops = 2 })
	workers := []*seat{g.hireOwn(0, nil), g.hireOwn(1, nil)}
	for i := range 2*each + 30 {
		c := g.dial()
		c.say(fmt.Sprintf("GET /%d/%%C3%%A4 HTTP/1.1\r\nHost: x\r\n\r\n", i))
	}
	var v Inventory
	waitFor(t, func() bool { v, _ = g.inventory(1000); return len(v.Requests) == 2*each+30 })
	if _, facts := g.inventory(1000); facts != 2 {
		t.Errorf("%d requests came in %d messages, want 2", len(v.Requests), facts)
	}
	given := map[int]int{}
	for _, r := range v.Requests {
		if !strings.HasSuffix(r.Path, "/ä") || r.Client != "127.0.0.1" || r.Method != "GET" {
			t.Errorf("request %+v", r)
		}
		given[r.PID]++
	}
	if v.Loads[workers[0].pid] != each || v.Loads[workers[1].pid] != each || given[workers[0].pid] != each || given[workers[1].pid] != each {
		t.Errorf("the workers have %v and %v, want %d each", v.Loads, given, each)
	}
	few, _ := g.inventory(0)
	for i, w := range workers {
		for _, r := range v.Requests { // the oldest first
			if r.PID != w.pid {
				continue
			}
			if len(few.Requests) > 4 || !slices.Contains(few.Requests, r) { // each loop tells its own
				t.Errorf("the oldest of worker %d is %+v, told was %+v", i, r, few.Requests)
			}
			break
		}
		go w.work(text("done"))
	}
	waitFor(t, func() bool { v, _ := g.inventory(1); return len(v.Requests) == 0 })
}

// What a client may send as a path is cut, and nothing of it breaks a message.
func TestPortraits(t *testing.T) {
	environ := func(path string) []byte {
		b := dispatch.AppendDict(dispatch.AppendInt(dispatch.AppendTuple(nil, 3), 7))
		b = appendPair(b, "REMOTE_ADDR", "192.0.2.1")
		b = appendPair(b, "PATH_INFO", path)
		return appendPair(b, "REQUEST_METHOD", "POST")
	}
	scope := append(dispatch.AppendDict(dispatch.AppendInt(dispatch.AppendTuple(nil, 3), 7)), scopeConstants...)
	scope = appendUTF8(dispatch.AppendKey(scope, "path"), []byte("/chat"))
	scope = appendAddress(dispatch.AppendKey(scope, "client"), []byte("::1"), []byte("55"))
	request := dispatch.AppendTuple(dispatch.AppendInt(dispatch.AppendTuple(nil, 3), 7), len(scopeValues))
	for _, text := range []string{"1.1", "PUT", "http", "", "/a"} { // version, method, scheme, root_path, path
		request = dispatch.AppendLatin1(request, text)
	}
	request = dispatch.AppendBytes(dispatch.AppendBytes(request, []byte("/a")), nil)
	request = appendAddress(request, []byte("::1"), []byte("55"))
	long := strings.Repeat("ä", 3000)
	for _, c := range []struct {
		name string
		msg  []byte
		want InHand
	}{
		{"nothing", nil, InHand{}},
		{"no environ", dispatch.AppendNone(dispatch.AppendInt(dispatch.AppendTuple(nil, 2), 7)), InHand{}},
		{"UTF-8 in latin-1", environ("/sh\xc3\xa4p\n"), InHand{Method: "POST", Path: "/shäp\n", Client: "192.0.2.1"}},
		{"bytes", environ("/\xff/"), InHand{Method: "POST", Path: "/\ufffd/", Client: "192.0.2.1"}},
		{"long", environ(long), InHand{Method: "POST", Path: long[:200] + "…", Client: "192.0.2.1"}},
		{"cut off", environ("/a")[:62], InHand{Client: "192.0.2.1", Path: "/a"}},
		{"request for ASGI", request, InHand{Method: "PUT", Path: "/a", Client: "::1"}},
		{"of which a part is there", request[:len(request)-9], InHand{Method: "PUT", Path: "/a"}},
		{"WebSocket", dispatch.AppendDictEnd(scope), InHand{Method: "WEBSOCKET", Path: "/chat", Client: "::1"}},
	} {
		var got InHand
		if got.portray(c.msg); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// A level that was ordered counts for the loops too.
func TestLevelOrder(t *testing.T) {
	g := newRig(t, nil)
	for _, level := range []hclog.Level{hclog.Debug, hclog.Error, hclog.Trace} {
		check(t, g.master.Send(LevelOrder(level)))
		g.inventory(1) // orders are obeyed in turn
		want := level <= hclog.Debug
		if got := strings.Contains(g.log.String(), "log level changed: to="+level.String()); got != want {
			t.Errorf("level %v: said %v, want %v:\n%s", level, got, want, g.log)
		}
	}
}

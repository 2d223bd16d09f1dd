package gateway

import (
	"runtime"
	"testing"
)

// heapInUse is what this process holds on its heap, in bytes.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what a pool held lives through one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// An idle connection must cost next to nothing, or ten thousand of them cost a
// gateway: a bound on our own memory, the kernel's socket not counted.
func TestIdleConnectionsAreSmall(t *testing.T) {
	const n, bound = 400, 2 << 10
	g := newRig(t, nil)
	g.hire(0, text("ok"))
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = g.dial()
	}
	before := heapInUse() // with the clients' side of it, which is much more
	for _, half := range []bool{false, true} {
		for _, c := range clients {
			c.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" + get)
			c.hear("POST")
			c.hear("GET")
			if half {
				c.say("GET / HTTP/1.1\r\n") // the room for a head that comes in pieces
			}
		}
		if grown := heapInUse() - before; grown > n*bound {
			t.Errorf("half a head sent %v: %d bytes for each idle connection", half, grown/n)
		}
	}
}

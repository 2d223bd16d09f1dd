package gateway

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// leftShown is how many requests an answer to a leave order names, the oldest.
const leftShown = 4

// casualties are the requests that failed with a worker, from all loops. When each of them
// has had its turn, the master is told, for the line about the death: it knows ids from the
// scoreboard, and only the gateway what they stand for. Of a worker with a lane of its own
// the scoreboard has one id at most.
//
//	("left", pid, count, [(id, method and path, milliseconds), ...])
//
// A nil one takes no notice. The loops share it.
type casualties struct {
	channel *dispatch.Channel
	pid     int

	mu     sync.Mutex
	due    uint64 // loops that have not had their turn, a bit for each
	count  int
	oldest []*lostError // the first first; at most leftShown
}

func (g *gateway) newCasualties(pid int) *casualties {
	return &casualties{channel: g.channel, pid: pid, due: 1<<len(g.loops) - 1}
}

// add takes a request that fails.
func (c *casualties) add(e *lostError) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	at, _ := slices.BinarySearchFunc(c.oldest, e, func(a, b *lostError) int { return cmp.Compare(b.age, a.age) })
	if at < leftShown {
		c.oldest = slices.Insert(c.oldest, at, e)
		c.oldest = c.oldest[:min(len(c.oldest), leftShown)]
	}
}

// done says that a loop has had its turn. The last makes the answer, on a goroutine of its
// own: a loop must not wait for the master, who may be gone.
func (c *casualties) done(loop int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.due
	if c.due &^= 1 << loop; was == 0 || c.due != 0 {
		return
	}
	answer := c.answer()
	go func() { _ = c.channel.Send(answer) }() // if the master is gone, nobody asks
}

func (c *casualties) answer() dispatch.Tuple {
	named := dispatch.List{}
	for _, e := range c.oldest {
		age := time.Duration(e.age).Milliseconds()
		named = append(named, dispatch.Tuple{int64(e.id), e.what, age})
	}
	return dispatch.Tuple{FactLeft, int64(c.pid), int64(c.count), named}
}

package gateway

import "testing"

// Ids must never name another request: not one of an earlier gateway, not the
// one that used the place before.
func TestTableFindsOnlyLivingRequests(t *testing.T) {
	old := newTable(3, 7)
	stale := old.add()
	now := newTable(3, 8)
	r := now.add()
	if r.id == stale.id {
		t.Errorf("two epochs gave the same id %x", r.id)
	}
	if got := now.find(stale.id); got != nil {
		t.Errorf("an id of the epoch before found request %x", got.id)
	}
	first := r.id
	if got := now.find(first); got != r {
		t.Fatalf("find(%x) = %v, want the request", first, got)
	}
	now.drop(r)
	if got := now.find(first); got != nil {
		t.Errorf("an ended request was found again")
	}
	again := now.add()
	if again.index != r.index {
		t.Errorf("index %d was not used again, got %d", r.index, again.index)
	}
	if got := now.find(first); got != nil {
		t.Errorf("the id of an ended request found its successor")
	}
	if first>>loopShift != 3 {
		t.Errorf("id %x does not name loop 3", first)
	}
}

// The memory of large messages is used again, but no more of it is kept than the
// limit: a burst of them must not stay in the gateway's size.
func TestMemoryOfLargeMessagesIsBounded(t *testing.T) {
	table := newTable(0, 1)
	const size, many = 80 << 10, 50
	burst := make([]*request, many)
	for i := range burst {
		burst[i] = table.add()
		burst[i].msg = append(table.room(burst[i], size), make([]byte, size)...)
	}
	for _, r := range burst {
		table.drop(r)
	}
	kept := 0
	for _, msg := range table.large {
		kept += cap(msg)
	}
	for _, r := range table.all {
		kept += cap(r.msg)
	}
	if kept > keepLarge || kept != table.kept || kept < keepLarge/2 {
		t.Errorf("%d bytes are kept and %d counted, with a limit of %d", kept, table.kept, keepLarge)
	}
	r := table.add()
	if msg := table.room(r, size); cap(msg) < size || len(table.large) != keepLarge/size-1 {
		t.Errorf("room of %d bytes, and %d others are left", cap(msg), len(table.large))
	}
	if msg := table.room(r, 2*size); cap(msg) < 2*size || table.kept != 0 {
		t.Errorf("room of %d bytes, and %d bytes are kept, all too short", cap(msg), table.kept)
	}
}

func TestBeforeWrapsAround(t *testing.T) {
	for _, c := range []struct {
		a, b uint64
		want bool
	}{
		{1, 2, true}, {2, 1, false}, {5, 5, false}, {seqMask, 1, true}, {1, seqMask, false},
	} {
		if got := before(c.a, c.b); got != c.want {
			t.Errorf("before(%d, %d) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestQueueKeepsItsOrder(t *testing.T) {
	var q queue
	all := make([]*request, 5000)
	for i := range all {
		all[i] = &request{index: uint32(i)}
		q.push(all[i])
	}
	next := 0
	take := func(n int) []*request {
		var rs []*request
		for range n {
			r := q.pop()
			if r != all[next] {
				t.Fatalf("pop gave %d, want %d", r.index, next)
			}
			rs = append(rs, r)
			next++
		}
		return rs
	}
	back := take(2)
	q.unpop(back[1:]) // in the space that pop left
	next--
	take(2000) // past the compaction
	back = take(3)
	q.unpop(back)
	next -= 3
	var fresh queue
	fresh.push(all[2])
	fresh.unpop(all[:2]) // no space in front
	for i := range 3 {
		if r := fresh.pop(); r != all[i] {
			t.Errorf("pop gave %d, want %d", r.index, i)
		}
	}
	take(q.len())
	if next != len(all) {
		t.Errorf("%d requests came out, want %d", next, len(all))
	}
}

// An unlawful move answers the wrong client, so every pair is tried.
func TestConnMovesAreExactlyTheTable(t *testing.T) {
	for from := range numConnPhases {
		for to := range numConnPhases {
			l := &loop{}
			c := &conn{phase: from}
			panicked := func() (p bool) {
				defer func() { p = recover() != nil }()
				l.enter(c, to)
				return false
			}()
			if want := from != to && !lawful(from, to); panicked != want {
				t.Errorf("%v → %v: panicked %v, want %v", from, to, panicked, want)
			}
			if !panicked && c.phase != to {
				t.Errorf("%v → %v ended in %v", from, to, c.phase)
			}
		}
	}
	for to := range numConnPhases {
		if lawful(closed, to) {
			t.Errorf("closed → %v is lawful; a closed descriptor may be another's by now", to)
		}
	}
}

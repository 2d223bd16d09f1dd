package dispatch

import "sync/atomic"

// row is one row of the scoreboard in the shared memory.
type row [rowWords]atomic.Uint64

// A LoopRow is what a gateway loop tells about itself. The gateway writes it; all
// counts are since the loop began. Like every row, it must not be used after the
// scoreboard's Close.
type LoopRow row

// Beat returns when the loop last gave a sign of life (see Monotonic); 0: never.
func (r *LoopRow) Beat() int64 { return int64(r[0].Load()) }

// SetBeat writes a sign of life.
func (r *LoopRow) SetBeat(ns int64) { r[0].Store(uint64(ns)) }

// Connections returns how many clients are connected now.
func (r *LoopRow) Connections() uint64 { return r[1].Load() }

// SetConnections writes how many clients are connected now.
func (r *LoopRow) SetConnections(n uint64) { r[1].Store(n) }

// Queued returns how many requests wait in the gateway now.
func (r *LoopRow) Queued() uint64 { return r[2].Load() }

// SetQueued writes how many requests wait in the gateway now.
func (r *LoopRow) SetQueued(n uint64) { r[2].Store(n) }

// Dispatched returns how many requests are with workers or on a lane now.
func (r *LoopRow) Dispatched() uint64 { return r[3].Load() }

// SetDispatched writes how many requests are with workers or on a lane now.
func (r *LoopRow) SetDispatched(n uint64) { r[3].Store(n) }

// Answered returns how many requests have been answered.
func (r *LoopRow) Answered() uint64 { return r[4].Load() }

// SetAnswered writes how many requests have been answered.
func (r *LoopRow) SetAnswered(n uint64) { r[4].Store(n) }

// Accepted returns how many connections have been accepted.
func (r *LoopRow) Accepted() uint64 { return r[5].Load() }

// SetAccepted writes how many connections have been accepted.
func (r *LoopRow) SetAccepted(n uint64) { r[5].Store(n) }

// Oldest returns since when the request waits that no worker has taken for longest,
// in the gateway or in a lane (see Monotonic); 0 if none waits.
func (r *LoopRow) Oldest() int64 { return int64(r[6].Load()) }

// SetOldest writes it.
func (r *LoopRow) SetOldest(ns int64) { r[6].Store(uint64(ns)) }

// A SeatRow is what a worker tells about one of its seats. The worker writes it,
// from its fork to its death; the master clears it after the worker has been
// reaped. The setters are for workers written in Go, which tests play.
type SeatRow row

// Beat returns when the seat last gave a sign of life (see Monotonic); 0: never.
func (r *SeatRow) Beat() int64 { return int64(r[0].Load()) }

// SetBeat writes a sign of life.
func (r *SeatRow) SetBeat(ns int64) { r[0].Store(uint64(ns)) }

// Request returns the request that the seat is at and when it began it (see
// Monotonic), or zeros if it is at none.
//
// A worker writes the start before the id. A machine that does not keep the order
// of stores (arm64) may show, for an instant, a new id beside the start of the
// request before: whoever kills a worker for its start must have seen the same
// pair twice.
func (r *SeatRow) Request() (id uint64, start int64) {
	for {
		id = r[1].Load()
		start = int64(r[2].Load())
		if r[1].Load() == id { // else it went on to another request meanwhile
			break
		}
	}
	if id == 0 {
		return 0, 0 // the start is that of the last request
	}
	return id, start
}

// Begin writes that the seat is at request id, which is never 0, since start.
func (r *SeatRow) Begin(id uint64, start int64) {
	r[2].Store(uint64(start))
	r[1].Store(id)
}

// End counts the request of the last Begin as answered.
func (r *SeatRow) End() {
	r[3].Store(r[3].Load() + 1) // one writer: nothing to lose between the two
	r[1].Store(0)
}

// Answered returns how many requests the seat has answered.
func (r *SeatRow) Answered() uint64 { return r[3].Load() }

// PID returns the process id of the worker; 0: the slot has none.
func (r *SeatRow) PID() int { return int(r[4].Load()) }

// Generation returns the generation that the worker belongs to.
func (r *SeatRow) Generation() uint64 { return r[5].Load() }

// Life returns when the main thread of the worker last gave a sign of life (see
// Monotonic), 0 if it gives none: only gthread workers do, in the row of their first
// seat.
func (r *SeatRow) Life() int64 { return int64(r[6].Load()) }

// SetLife writes a sign of life of the main thread.
func (r *SeatRow) SetLife(ns int64) { r[6].Store(uint64(ns)) }

// Leaving reports that the worker was told to leave (SIGTERM) and will; it is said in the row of
// its first seat.
func (r *SeatRow) Leaving() bool { return r[7].Load() != 0 }

// SetLeaving says so.
func (r *SeatRow) SetLeaving() { r[7].Store(1) }

// Occupy writes the process id and the generation of a worker that begins.
func (r *SeatRow) Occupy(pid int, generation uint64) {
	r[4].Store(uint64(pid))
	r[5].Store(generation)
}

// Clear makes the row ready for the next worker of the slot. Only the master calls
// it, when the last one has been reaped and its request is known.
func (r *SeatRow) Clear() {
	for i := range r {
		r[i].Store(0)
	}
}

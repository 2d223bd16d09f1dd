package gateway

import (
	"sync"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

// keepAlive pings the client at intervals until stop is called. A client that
// lets nothing be heard for the timeout after a ping is lost: whatever comes from
// it counts, not only the pong. While we do not listen, because the application
// takes no messages, nobody can be silent.
func (v *conversation) keepAlive(c WebSocketConfig) (stop func()) {
	if c.PingInterval <= 0 {
		return func() {}
	}
	k := &pinger{v: v, interval: c.PingInterval, timeout: c.PingTimeout}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = time.Now().Add(c.PingInterval)
	k.timer = time.AfterFunc(c.PingInterval, k.tick)
	return k.stop
}

// pinger is a timer and no goroutine: most conversations are silent most of the
// time.
type pinger struct {
	v                 *conversation
	interval, timeout time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
	next    time.Time // when to ping
	due     time.Time // when the client must have been heard; zero: no ping is out
	pinged  int64     // CLOCK_MONOTONIC ns of the ping that is out
}

func (k *pinger) tick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.stopped {
		return
	}
	if !k.due.IsZero() && k.v.pulse.since(k.pinged) {
		k.due = time.Time{}
	}
	if !k.due.IsZero() && !now.Before(k.due) {
		k.stopped = true
		go k.v.lost() // it may have to wait for a writer
		return
	}
	if !now.Before(k.next) {
		k.next = now.Add(k.interval)
		if k.v.atSmallTalk() {
			k.v.x.loop.post(k.pingByLoop)
		} else if k.v.out.ping() {
			k.expect(now)
		}
	}
	k.wind()
}

// pingByLoop pings the client of a conversation that the loop carries.
func (k *pinger) pingByLoop(l *loop) {
	if !l.pingIn(k.v) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.stopped {
		k.expect(time.Now())
		k.wind()
	}
}

// expect notes that a ping went out.
func (k *pinger) expect(now time.Time) {
	if k.timeout > 0 && k.due.IsZero() {
		k.pinged, k.due = dispatch.Monotonic(), now.Add(k.timeout)
	}
}

// wind sets the timer for what comes next.
func (k *pinger) wind() {
	wait := k.next
	if !k.due.IsZero() && k.due.Before(wait) {
		wait = k.due
	}
	k.timer.Reset(time.Until(wait))
}

func (k *pinger) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	k.timer.Stop()
}

// lost ends a conversation whose client does not answer.
func (v *conversation) lost() {
	v.recall()
	v.out.close(websocket.CodeInternalError, "keepalive ping timeout")
	_ = v.x.sock.SetReadDeadline(time.Now()) // listen tells the application
}

package master

import (
	"context"

	"github.com/indrik/indrik/desk"
)

// questionAsked: somebody outside the loop wants an answer from its state. answer
// must not wait.
type questionAsked struct{ answer func() }

// openDoor opens the control socket that a plan wants, unless it is open.
func (m *master) openDoor(ctx context.Context, p *plan) (err error) {
	keeper := desk.Doorkeeper{Env: m.env, PID: m.cfg.PID, Service: &clerk{m: m}, Log: m.log}
	var open *desk.Door
	if m.plan != nil {
		open = m.plan.door
	}
	p.door, err = keeper.Open(ctx, p.settings, open, m.plan == nil)
	return err
}

// clerk is the master as the control socket sees it. Its methods run on goroutines of
// the socket's clients and leave every look at the state to the loop.
type clerk struct {
	m      *master
	vitals desk.Vitals
}

// ask has the loop find an answer, and waits for it until ctx ends.
func ask[T any](ctx context.Context, m *master, find func() (T, error)) (T, error) {
	return desk.Ask(ctx, m.put, find)
}

// put gives the loop something to do in its turn.
func (m *master) put(do func()) { m.post(questionAsked{do}) }

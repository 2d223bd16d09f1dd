package master

import "fmt"

// step is how far a reload is.
//
//	        ┌───────────────────────────────────────────────┐
//	        ▼                                               │ gone
//	calm ──asked──▶ reading ──settled──▶ raising ──raised──▶ moving ──moved──▶ leaving
//	 │▲                │ failed             │ failed            │ failed
//	 ││ gone           ▼                    ▼                   ▼
//	 │└───────────── undoing ◀──────────────┴───────────────────┘
//	 │                 ▲
//	 │                 ├─────────────────────┐
//	 │                 │ failed              │ failed
//	 └──differs──▶ checking ──approved──▶ quieting ──exec──▶ quieting ──executed──▶ reading
//	                                                 (in the new image)
type step uint8

const (
	calm     step = iota // no reload runs
	checking             // a child of the new binary looks whether that can take over
	quieting             // no process is being forked any more, then the binary is executed
	reading              // the configuration is read, perhaps by a new mold
	raising              // the new generation boots beside the one that serves
	moving               // its workers are ready; a new gateway is awaited, if there is one
	leaving              // the new generation serves, the one before finishes what it holds, or is to be kept
	undoing              // the new generation is not wanted any more, and goes
	numSteps
)

// String returns the word.
func (s step) String() string {
	words := [numSteps]string{"calm", "checking", "quieting", "reading", "raising", "moving", "leaving", "undoing"}
	if s >= numSteps {
		return fmt.Sprintf("step(%d)", uint8(s))
	}
	return words[s]
}

// turn is what takes a reload from one step to another.
type turn uint8

const (
	asked    turn = iota // somebody wants a reload
	differs              // and with an exec: the binary on disk is another one, or it is wanted so
	approved             // the new binary says that it can take over
	executed             // this is the new image, and it has taken over
	settled              // the configuration is whole and right
	raised               // enough workers of the new generation are ready
	moved                // the new generation has the traffic
	gone                 // no process of the generation that goes is left, or it is kept
	failed               // whatever it was: the one that serves goes on
	numTurns
)

// String returns the word.
func (t turn) String() string {
	words := [numTurns]string{"asked", "differs", "approved", "executed", "settled", "raised", "moved", "gone", "failed"}
	if t >= numTurns {
		return fmt.Sprintf("turn(%d)", uint8(t))
	}
	return words[t]
}

// stepMove is one entry of the table; lawful tells it from the zero of the array.
type stepMove struct {
	to     step
	lawful bool
}

// stepMoves holds every lawful move and nothing else; it is written once, here. A
// reload that has moved cannot fail any more: the generation before is on its way
// out then.
var stepMoves = [numSteps][numTurns]stepMove{
	calm:     {asked: {reading, true}, differs: {checking, true}},
	checking: {approved: {quieting, true}, failed: {undoing, true}},
	quieting: {executed: {reading, true}, failed: {undoing, true}},
	reading:  {settled: {raising, true}, failed: {undoing, true}},
	raising:  {raised: {moving, true}, failed: {undoing, true}},
	moving:   {moved: {leaving, true}, failed: {undoing, true}},
	leaving:  {gone: {calm, true}},
	undoing:  {gone: {calm, true}},
}

// move is the only code that writes the step of a reload. An unlawful turn is a
// mistake of ours; it is logged and changes nothing.
func (m *master) move(t turn) {
	from := m.reload.step
	next := stepMoves[from][t]
	if !next.lawful {
		m.log.Error("reload move refused", "from", from, "event", t)
		return
	}
	m.reload.step = next.to
	m.log.Debug("reload moved", "from", from, "to", next.to, "event", t)
}

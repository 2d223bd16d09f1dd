package master

import (
	"encoding/json"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
)

// Names of what carry adds to the state. They are a part of its format.
const (
	carriedDoor    = "control socket"
	carriedAdmin   = "admin listener"
	carriedTolls   = "tolls"
	carriedReloads = "reloads"
	carriedEvents  = "events"
)

type heldDoor struct {
	heldSocket
	Mode int `json:"mode"`
}

// carry adds to the state what the service can do without, and would miss; carried
// takes it back. Clients of the control socket are cut off; those who wait for a
// reload ask the next image by its number.
func (m *master) carry(st *state) {
	st.Descriptors, st.Texts = map[string]int{}, map[string]string{}
	note := func(name string, v any) {
		if text, err := json.Marshal(v); err == nil {
			st.Texts[name] = string(text)
		}
	}
	if d := m.plan.door; d != nil {
		d.Server.Close()
		st.Descriptors[carriedDoor] = d.Socket.FD
		note(carriedDoor, heldDoor{holdSocket(d.Socket), d.Mode})
		m.plan.door = nil
	}
	if s, there := m.admin.Leave(); there {
		st.Descriptors[carriedAdmin] = s.FD
		note(carriedAdmin, holdSocket(s))
	}
	note(carriedTolls, m.tolls)
	m.reloads.Tell() // nobody waits here any more
	note(carriedReloads, &m.reloads)
	note(carriedEvents, m.chronicle)
}

// carried takes back what carry has added. It is called once nothing can fail any
// more: what cannot be used is done without, and descriptors that nobody knows are
// closed, because another version had a use for them.
func (m *master) carried(st *state) {
	read := func(name string, v any) bool {
		return json.Unmarshal([]byte(st.Texts[name]), v) == nil
	}
	var reloaded desk.Reloads
	if read(carriedReloads, &reloaded) {
		m.reloads = reloaded
	}
	var happened desk.Chronicle
	if read(carriedEvents, &happened) {
		m.chronicle = happened
	}
	var counted tolls
	if read(carriedTolls, &counted) {
		m.tolls = counted
	}
	for name, fd := range st.Descriptors {
		var way heldDoor
		var listener heldSocket
		switch {
		case name == carriedDoor && read(name, &way):
			m.reopenDoor(way)
		case name == carriedAdmin && read(name, &listener):
			s := listener.socket()
			if !s.Owned {
				m.admin.Passed = s
			}
			m.useAdmin(s)
			m.plan.admin = m.admin.Socket
		default:
			closeAll([]int{fd})
		}
	}
}

// reopenDoor answers on the control socket that the image before has left.
func (m *master) reopenDoor(h heldDoor) {
	d := &desk.Door{Socket: h.socket(), Mode: h.Mode}
	var err error
	if d.Server, err = control.Serve(d.Socket.FD, &clerk{m: m}); err != nil {
		m.log.Warn("no control socket", "path", d.Socket.Address, "error", err)
		_ = d.Socket.Close() // the first error says more
		return
	}
	m.plan.door = d
}

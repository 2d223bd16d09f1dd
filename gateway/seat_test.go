package gateway

import (
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// seat is a worker in this process, with one seat.
type seat struct {
	rig   *rig
	slot  int
	pid   int
	reply []int // the worker's end for each loop
	row   *dispatch.SeatRow
	lane  int   // where it takes requests
	own   []int // both ends of a lane of its own, the gateway's first

	declared int64 // what the request taken last says of a body that is to be streamed
}

// application answers one request. It may take the request's descriptor (-1 if
// none) and must send a reply with s.send.
type application func(s *seat, id int64, env map[string]any, body []byte, fd int)

// hire adds a worker that answers with app.
func (g *rig) hire(slot int, app application) *seat {
	g.t.Helper()
	return g.employ(&seat{slot: slot, lane: g.lane[1]}, app)
}

// employ is hire for a seat that has its lane.
func (g *rig) employ(s *seat, app application) *seat {
	g.t.Helper()
	return g.employAs(living(g.t), s, app)
}

// employAs is employ for a process of the test's own.
func (g *rig) employAs(pid int, s *seat, app application) *seat {
	g.t.Helper()
	s.rig, s.pid, s.row = g, pid, g.board.Seat(s.slot, 0)
	var fds []int
	for range g.board.Loops() {
		ours, theirs, err := dispatch.SocketPair()
		check(g.t, err)
		s.reply, fds = append(s.reply, ours), append(fds, theirs)
	}
	check(g.t, g.master.Send(JoinOrder(s.slot, s.pid, g.generation), append(fds, s.own...)...))
	if app != nil {
		go s.work(app)
	}
	return s
}

func (s *seat) work(app application) {
	for {
		id, env, body, fd, ok := s.take()
		if !ok {
			return
		}
		s.row.Begin(uint64(id), dispatch.Monotonic())
		app(s, id, env, body, fd)
		s.row.End()
	}
}

// take waits for the next request on the lane, and fetches its descriptor if it has one.
// A request whose client left meanwhile is passed over.
func (s *seat) take() (id int64, env map[string]any, body []byte, fd int, ok bool) {
	id, env, place, ok := s.receive()
	if !ok || env == nil {
		return id, env, nil, -1, ok
	}
	body, inline := place.([]byte)
	s.declared, _ = place.(int64)
	if inline {
		return id, env, body, -1, true
	}
	if fd = s.fetch(id); fd < 0 {
		return s.take()
	}
	return id, env, nil, fd, true
}

// receive waits for the next message on the lane: a request, and the body or what stands
// in its place. No env: the client of that request left.
func (s *seat) receive() (id int64, env map[string]any, body any, ok bool) {
	buffer := make([]byte, dispatch.MaxMessage)
	n, _, err := unix.Recvfrom(s.lane, buffer, 0)
	for err == unix.EINTR {
		n, _, err = unix.Recvfrom(s.lane, buffer, 0)
	}
	if err != nil || n == 0 {
		return 0, nil, nil, false
	}
	v, err := dispatch.Unmarshal(buffer[:n])
	check(s.rig.t, err)
	request := v.(dispatch.Tuple)
	env, _ = request[1].(dispatch.Dict)
	if values, ok := request[1].(dispatch.Tuple); ok {
		env = workersScope(s.rig.t, values)
	}
	return request[0].(int64), env, request[2], true
}

// fetch asks for the descriptor of a request; -1 if there is none any more.
func (s *seat) fetch(id int64) int {
	s.send(dispatch.Tuple{id, "descriptor"})
	buffer, control := make([]byte, 64), make([]byte, unix.CmsgSpace(4))
	n, nc, _, _, err := unix.Recvmsg(s.reply[uint64(id)>>loopShift], buffer, control, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, nc, _, _, err = unix.Recvmsg(s.reply[uint64(id)>>loopShift], buffer, control, unix.MSG_CMSG_CLOEXEC)
	}
	check(s.rig.t, err)
	v, err := dispatch.Unmarshal(buffer[:n])
	check(s.rig.t, err)
	if got := v.(dispatch.Tuple)[0]; got != id {
		s.rig.t.Errorf("asked for the descriptor of %#x, got that of %#x", id, got)
	}
	return onlyFD(control[:nc])
}

// send sends a reply, with descriptors beside it.
func (s *seat) send(reply dispatch.Tuple, fds ...int) {
	msg, err := dispatch.Marshal(reply)
	check(s.rig.t, err)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	loop := uint64(reply[0].(int64)) >> loopShift
	check(s.rig.t, unix.Sendmsg(s.reply[loop], msg, rights, nil, 0))
}

// dies is what a master says of a worker that was reaped.
func (s *seat) dies(cause string, held ...int64) {
	ids := make([]uint64, len(held))
	for i, id := range held {
		ids[i] = uint64(id)
	}
	s.row.Clear()
	check(s.rig.t, s.rig.master.Send(LeaveOrder(s.slot, s.pid, cause, ids)))
}

// text answers 200 with these headers and this body.
func text(body string, headers ...string) application {
	return func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(headers...), []byte(body)})
	}
}

// fields makes the headers of a reply from names and values in turn.
func fields(pairs ...string) dispatch.List {
	list := dispatch.List{}
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, dispatch.Tuple{pairs[i], pairs[i+1]})
	}
	return list
}

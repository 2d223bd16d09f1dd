package settings

import "time"

// Spew prints every line of Python that workers execute.
func (v *Values) Spew() bool { return of[bool](v, "spew") }

// ControlSocketDisable asks for no control socket.
func (v *Values) ControlSocketDisable() bool { return of[bool](v, "control_socket_disable") }

// Sendfile lets files be sent with sendfile(2).
func (v *Values) Sendfile() bool { return of[bool](v, "sendfile") }

// ASGIDisconnectGracePeriod is how long a request of an ASGI application goes on
// after its client left; 0 for no time.
func (v *Values) ASGIDisconnectGracePeriod() time.Duration {
	return of[time.Duration](v, "asgi_disconnect_grace_period")
}

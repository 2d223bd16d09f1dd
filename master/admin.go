package master

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/metrics"
)

// adminName is the FileDescriptorName= by which systemd passes the admin listener.
const adminName = "admin"

// takeAdmin takes the admin listener out of what systemd passed.
func takeAdmin(passed []activation.Socket) (admin activation.Socket, rest []activation.Socket, err error) {
	for _, s := range passed {
		switch {
		case s.Name != adminName:
			rest = append(rest, s)
		case admin.Name != "":
			return admin, rest, fmt.Errorf("take over fd %d: a second socket named %q; one admin listener is all there is", s.FD, adminName)
		default:
			admin = s
		}
	}
	return admin, rest, nil
}

// openAdmin opens the admin listener of a plan, unless it is the one in use.
func (m *master) openAdmin(ctx context.Context, p *plan) (err error) {
	p.admin, err = m.admin.Open(ctx, p.settings)
	return err
}

// dropAdmin closes the admin listener of a plan that will not be carried out.
func (m *master) dropAdmin(p *plan) {
	if err := m.admin.Drop(p.admin); err != nil {
		m.log.Warn("listener not closed", "listener", p.admin.Name, "error", err)
	}
	p.admin = activation.Socket{}
}

// useAdmin answers on the admin listener of the plan that is in force now.
func (m *master) useAdmin(s activation.Socket) {
	if err := m.admin.Use(s, m.inspect, m.log); err != nil {
		m.log.Error("admin listener cannot be used", "error", err)
	}
}

// closeAdmin ends the answering.
func (m *master) closeAdmin() {
	if err := m.admin.Close(); err != nil {
		m.log.Warn("listener not closed", "error", err)
	}
}

// inspect asks the loop for facts. Any goroutine but the loop's may call it.
func (m *master) inspect(ctx context.Context) (*metrics.Facts, error) {
	return m.lobby.Ask(ctx, m.put, func() *metrics.Facts { return m.view(time.Now()) })
}

// Metrics answers on the control socket as on the admin listener.
func (c *clerk) Metrics() http.Handler { return metrics.Exporter(c.m.inspect) }

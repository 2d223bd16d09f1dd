package master

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/settings"
)

// A listener that comes back from the store is the one of its address, whatever comes
// beside it, and is not bound a second time, which could not succeed.
func TestListenersComeBackFromTheStore(t *testing.T) {
	bound := bindAddress(t, "127.0.0.1:0")
	bind, err := activation.ParseBind(bound.Address)
	if err != nil {
		t.Fatal(err)
	}
	other := bindAddress(t, "127.0.0.1:0")
	s, err := settings.Resolve(settings.Layer{
		Source: settings.CommandLine,
		Items:  []settings.Item{{Name: "bind", Texts: []string{bound.Address}, Origin: "--bind"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := newMaster(Config{Log: hclog.NewNullLogger()})
	bound.Name, bound.Owned = "bind="+strings.ReplaceAll(bind.String(), ":", "%3A"), false
	other.Name, other.Owned = "bind=127.0.0.1%3A1", false
	unit := activation.Socket{Name: "http", FD: -1}
	m.stored, m.passed = desk.TakeStored([]activation.Socket{unit, other, bound})
	if len(m.passed) != 1 || m.passed[0] != unit {
		t.Errorf("passed by units: %v", m.passed)
	}
	p := &plan{settings: s}
	if err := m.openSockets(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if len(p.sockets) != 2 || p.sockets[1].FD != bound.FD || !p.sockets[1].Owned || p.sockets[1].Name != bound.Address {
		t.Errorf("the plan has %v, want the socket of the unit and the one of the store", p.sockets)
	}
	if len(p.fresh) != 0 {
		t.Errorf("bound anew: %v", p.fresh)
	}
	m.voice.Drop(&m.stored)
	if err := other.Close(); err == nil {
		t.Error("the listener that nobody wants is still open")
	}
}

func bindAddress(t *testing.T, address string) activation.Socket {
	t.Helper()
	bind, err := activation.ParseBind(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := activation.Listen(t.Context(), bind, activation.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // closed by the test, perhaps
	return s
}

package master

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/gateway"
)

func TestTheAdminSocketOfSystemd(t *testing.T) {
	t.Parallel()
	web, other, one := activation.Socket{Name: "web", FD: 3}, activation.Socket{Name: "http", FD: 4}, activation.Socket{Name: "admin", FD: 5}
	admin, rest, err := takeAdmin([]activation.Socket{web, one, other})
	if err != nil || admin != one || !reflect.DeepEqual(rest, []activation.Socket{web, other}) {
		t.Errorf("took %v and left %v, %v", admin, rest, err)
	}
	if admin, rest, err = takeAdmin([]activation.Socket{web}); err != nil || admin.Name != "" || len(rest) != 1 {
		t.Errorf("of one without it: %v and %v, %v", admin, rest, err)
	}
	if _, _, err = takeAdmin([]activation.Socket{one, one}); err == nil || !strings.Contains(err.Error(), `"admin"`) {
		t.Errorf("two of them: %v", err)
	}
}

// Counts live in the state that one image of the master leaves to the next.
func TestTollsSurviveAsJSON(t *testing.T) {
	t.Parallel()
	var before, after tolls
	before.End("never ready")
	before.Gateways.Requests[gateway.HTTP2Stream][1], before.Gateways.Latency.Buckets[16], before.Gateways.Refused[3] = 5, 6, 7
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &after); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("%v: %+v became %+v", err, before, after)
	}
	if after.Ends["never_ready"] != 1 {
		t.Errorf("ends: %v", after.Ends)
	}
	older := strings.Replace(string(text), `"Abandoned":0,`, "", 1)
	if err := json.Unmarshal([]byte(older), new(tolls)); err != nil || older == string(text) {
		t.Errorf("a state without a figure: %v", err)
	}
}

// The listener of a plan that is given up is closed, that of the service is not.
func TestAdminListenersOfPlans(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "admin")
	bind, err := activation.ParseBind("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := activation.Listen(t.Context(), bind, activation.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := newMaster(Config{Log: hclog.NewNullLogger()})
	m.useAdmin(socket)
	kept := &plan{admin: socket}
	m.dropAdmin(kept)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the listener in use was closed: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	m.closeAdmin()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's file is left: %v", err)
	}
}

package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// busLimit bounds how long systemd may take to answer: what it says is an extra.
const busLimit = time.Second

// unitFacts is what systemd says of the unit that a master runs in.
type unitFacts struct {
	Name     string    `json:"name"`
	State    string    `json:"state"` // like "active (running)"
	Since    time.Time `json:"since"`
	Restarts uint32    `json:"restarts"` // by systemd
	Memory   uint64    `json:"memory,omitempty"`
	Tasks    uint64    `json:"tasks,omitempty"`
}

// findUnit asks systemd for the unit of a process; nil if there is no systemd to ask, or
// the process is in no service of its. A service of this user is known to the user's
// manager only, which is asked second.
func findUnit(ctx context.Context, pid int) *unitFacts {
	ctx, cancel := context.WithTimeout(ctx, busLimit)
	defer cancel()
	connects := []func(context.Context) (*dbus.Conn, error){dbus.NewWithContext}
	if os.Geteuid() != 0 {
		connects = append(connects, dbus.NewUserConnectionContext)
	}
	for _, connect := range connects {
		conn, err := connect(ctx)
		if err != nil {
			continue
		}
		facts := askUnit(ctx, conn, pid)
		conn.Close()
		if facts != nil {
			return facts
		}
	}
	return nil
}

func askUnit(ctx context.Context, conn *dbus.Conn, pid int) *unitFacts {
	name, err := conn.GetUnitNameByPID(ctx, uint32(pid))
	if err != nil || !strings.HasSuffix(name, ".service") || strings.HasPrefix(name, "user@") {
		return nil
	}
	properties, err := conn.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return nil
	}
	text := func(key string) string { s, _ := properties[key].(string); return s }
	number := func(key string) uint64 {
		n, _ := properties[key].(uint64)
		if n == math.MaxUint64 { // systemd's "not set"
			return 0
		}
		return n
	}
	facts := &unitFacts{
		Name: name, State: text("ActiveState") + " (" + text("SubState") + ")",
		Memory: number("MemoryCurrent"), Tasks: number("TasksCurrent"),
		Since: time.UnixMicro(int64(number("ActiveEnterTimestamp"))),
	}
	facts.Restarts, _ = properties["NRestarts"].(uint32)
	return facts
}

// String is the line of indrik status.
func (u *unitFacts) String() string {
	line := fmt.Sprintf("%s, %s since %s, %d restarts", u.Name, u.State, u.Since.Local().Format("Mon 2006-01-02 15:04:05 MST"), u.Restarts)
	if u.Memory > 0 {
		line += ", memory " + megabytes(int64(u.Memory))
	}
	if u.Tasks > 0 {
		line += fmt.Sprintf(", %d tasks", u.Tasks)
	}
	return line
}

package desk

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/control"
)

// unaccepted is the state SS_CONNECTING in /proc/net/unix.
const unaccepted = "02"

// Listeners says of sockets what the kernel knows of them. The sockets stay open
// meanwhile, or what is said of them is of no interest any more. backlog is what was
// asked for when those of ours were opened.
func Listeners(sockets []activation.Socket, backlog int) []control.Listener {
	all := make([]control.Listener, 0, len(sockets))
	for _, socket := range sockets {
		l := control.Listener{Name: socket.Name, Network: socket.Network, Address: socket.Address, From: "systemd"}
		if socket.Owned {
			l.From, l.Backlog = "bind", &backlog
		}
		if strings.HasPrefix(socket.Network, "tcp") {
			// Of a listening socket the kernel gives the length of its accept queue here,
			// and its bound.
			if info, err := unix.GetsockoptTCPInfo(socket.FD, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				waiting, most := int(info.Unacked), int(info.Sacked)
				l.Waiting, l.Backlog = &waiting, &most
			}
		}
		all = append(all, l)
	}
	return all
}

// countUnix adds to listeners what the kernel's list of Unix sockets tells: a
// connection that nobody has accepted has the path of its listener, and no inode.
func countUnix(all []control.Listener) {
	if !slices.ContainsFunc(all, func(l control.Listener) bool { return l.Network == "unix" }) {
		return
	}
	text, err := os.ReadFile("/proc/self/net/unix")
	if err != nil {
		return
	}
	waiting := map[string]int{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 8 && fields[5] == unaccepted && fields[6] == "0" {
			waiting[strings.Join(fields[7:], " ")]++
		}
	}
	for i := range all {
		if all[i].Network == "unix" {
			n := waiting[all[i].Address]
			all[i].Waiting = &n
		}
	}
}

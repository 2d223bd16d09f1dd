package control

import (
	"net"
	"time"
)

// Holder is the process that listens on the socket at path; 0 if nobody does, or
// nobody can say.
func Holder(path string) (pid int) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close() // nothing was said
	if who := peer(conn); who != nil {
		return int(who.Pid)
	}
	return 0
}

package logsink

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Severities of syslog(3), as far as logs of a service have them.
const (
	Critical = 2
	Error    = 3
	Warning  = 4
	Info     = 6
	Debug    = 7
)

// SyslogPort is where syslog is spoken if an address does not say.
const SyslogPort = "514"

// Syslog is where a syslog daemon listens.
type Syslog struct {
	Network string `json:"network"` // of net.Dial: "udp", "tcp", "unixgram", "unix"; "unixgram unix" tries both
	Address string `json:"address"`
}

// ParseSyslog reads an address in Gunicorn's form: udp://HOST[:PORT],
// tcp://HOST[:PORT], or unix://PATH with #dgram or #stream behind it if only
// that is to be tried. The error is a reason and a remedy.
func ParseSyslog(text string) (Syslog, error) {
	if path, found := strings.CutPrefix(text, "unix://"); found {
		path, kind, marked := strings.Cut(path, "#")
		networks := map[string]string{"": "unixgram unix", "dgram": "unixgram", "stream": "unix"}
		network, known := networks[kind]
		if path == "" || !known || marked && kind == "" {
			return Syslog{}, fmt.Errorf("%q is no socket; write unix://PATH, unix://PATH#dgram or unix://PATH#stream", text)
		}
		return Syslog{Network: network, Address: path}, nil
	}
	network, rest, found := strings.Cut(text, "://")
	if !found || network != "udp" && network != "tcp" || rest == "" {
		return Syslog{}, fmt.Errorf("%q is no address of syslog; write udp://HOST:PORT, tcp://HOST:PORT or unix://PATH", text)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil { // without a port
		host, port = strings.Trim(rest, "[]"), SyslogPort
	}
	if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
		return Syslog{}, fmt.Errorf("%q has no port from 1 to 65535; write %s://%s:%s", text, network, host, SyslogPort)
	}
	return Syslog{Network: network, Address: net.JoinHostPort(host, port)}, nil
}

// facilities are the names that Gunicorn knows, with the codes of RFC 5424.
// Read only.
var facilities = map[string]int{
	"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "security": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8,
	"cron": 9, "authpriv": 10, "ftp": 11, "local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21,
	"local6": 22, "local7": 23,
}

// Facility returns the code of a facility's name.
func Facility(name string) (code int, known bool) {
	code, known = facilities[name]
	return code, known
}

// SyslogTag is what stands before each message: priority and program, in the form
// of Gunicorn.
func SyslogTag(facility, severity int, program string) string {
	return "<" + strconv.Itoa(facility*8+severity) + ">" + program + ": "
}

// NewSyslog makes a target at a syslog daemon. Entries are lines; each becomes a
// message with tag before it, which is empty if the entries have tags already. A
// connection is made when it is first needed.
func NewSyslog(s Syslog, tag string) *Remote {
	return &Remote{networks: strings.Fields(s.Network), address: s.Address, tag: tag, end: "\n", body: "\n"}
}

// JournalSocket is where systemd-journald takes native entries (systemd.journal-fields(7)).
const JournalSocket = "/run/systemd/journal/socket"

// NewJournal makes a target at the journal, whose socket is at path. Entries end
// with an empty line; each becomes a datagram.
func NewJournal(path string) *Remote {
	return &Remote{networks: []string{"unixgram"}, address: path, end: "\n\n", body: "\n"}
}

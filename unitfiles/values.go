package unitfiles

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// checkPath wants an absolute path that one line can hold: a backslash at its end
// would continue it.
func checkPath(key, p string) error {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd || r == '\\' }
	if !path.IsAbs(p) || strings.ContainsFunc(p, odd) || strings.HasSuffix(p, " ") {
		return fmt.Errorf("%s has %q; give an absolute path without backslashes, control characters or a space at its end", key, p)
	}
	return nil
}

// checkListen wants what ListenStream= takes for stream sockets, of which Indrik
// serves paths, abstract names, ports, and ports of an address.
func checkListen(address string) error {
	if strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@") && len(address) > 1 {
		return checkPath("listen", "/"+address[1:])
	}
	if n, err := strconv.ParseUint(address, 10, 16); err == nil && n > 0 {
		return nil
	}
	if at, err := netip.ParseAddrPort(address); err == nil && at.Port() > 0 {
		return nil
	}
	return fmt.Errorf("listen has %q; give a path, a port, or a port of an address like 127.0.0.1:8000 or [::1]:8000", address)
}

// plain is a value for an assignment that takes the rest of its line. In it only
// specifiers have a meaning.
func plain(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// quoted is one word of an assignment that takes several. checkPath lets no
// backslash through.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "%", "%%").Replace(text) + `"`
}

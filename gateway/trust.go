package gateway

import (
	"fmt"
	"net/netip"
	"strings"
)

// trust is the set of peers that may speak for a client: a reverse proxy's
// word about scheme and mount point is taken only from them.
type trust struct {
	all      bool
	networks []netip.Prefix
}

// parseTrust reads a setting like forwarded_allow_ips: addresses and networks with commas
// between them, or "*" for everybody. A network with host bits set is refused,
// because it is mostly a mistyped address.
func parseTrust(setting, list string) (trust, error) {
	var t trust
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
			continue
		case text == "*":
			t.all = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if !strings.Contains(text, "/") {
			var addr netip.Addr
			addr, err = netip.ParseAddr(text)
			addr = addr.Unmap()
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		if err == nil && network != network.Masked() {
			err = fmt.Errorf("it has host bits set; write %v or a single address", network.Masked())
		}
		if err != nil {
			return trust{}, fmt.Errorf("%s: %q is no address or network: %w", setting, text, err)
		}
		t.networks = append(t.networks, network)
	}
	return t, nil
}

// includes reports whether addr, which is not IPv4 inside IPv6, is trusted.
func (t trust) includes(addr netip.Addr) bool {
	if t.all {
		return true
	}
	for _, network := range t.networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

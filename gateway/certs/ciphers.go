package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// openSSLNames are OpenSSL's names of the suites that Go has
// (openssl-ciphers(1)); the names of the standard are known besides.
var openSSLNames = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// parseCiphers reads a list of suites with colons, commas or blanks between
// them, by OpenSSL's names or the standard's. It returns nil, which is Go's own
// choice, for an empty list and for DEFAULT or HIGH in it.
//
// Suites with finite-field key exchange (DHE-) and those of TLS 1.3 are
// passed over: Go has none of the former and always offers the latter. What
// is excluded with ! is taken out of the list. Groups of OpenSSL's (ECDHE+AESGCM) are refused:
// half understood, such a list would let in what its author meant to keep out.
// The order is not kept, because Go prefers the better suite by itself.
func parseCiphers(list string) ([]uint16, error) {
	var suites, excluded []uint16
	any := false
	for _, item := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(":, ", r) }) {
		name, exclude := strings.CutPrefix(item, "!")
		id, known := suite(name)
		switch {
		case exclude && known:
			excluded = append(excluded, id)
		case exclude && !strings.Contains(name, "+") && neverOffered(name):
		case !exclude && (name == "DEFAULT" || name == "HIGH"):
			any = true
		case !exclude && known && id == 0:
		case !exclude && known:
			suites = append(suites, id)
		default:
			return nil, fmt.Errorf("ciphers: %q is not available; write the names of single suites, like ECDHE-RSA-AES128-GCM-SHA256, with colons between them", item)
		}
	}
	switch {
	case any && len(excluded) > 0:
		for _, s := range tls.CipherSuites() {
			suites = append(suites, s.ID)
		}
	case any || list == "":
		return nil, nil
	}
	suites = slices.DeleteFunc(suites, func(id uint16) bool { return slices.Contains(excluded, id) })
	if len(suites) == 0 {
		return nil, errors.New("ciphers: no suite of the list is available; for TLS 1.3 only, set the minimum version and leave the list empty")
	}
	return suites, nil
}

// suite finds a suite by name; the id is 0 for one that is known and needs no
// mention in Go's list.
func suite(name string) (id uint16, known bool) {
	if id, known = openSSLNames[name]; known {
		return id, true
	}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if s.Name != name {
			continue
		}
		if slices.Contains(s.SupportedVersions, tls.VersionTLS13) {
			return 0, true
		}
		return s.ID, true
	}
	return 0, strings.HasPrefix(name, "DHE-")
}

// neverOffered reports that a group which people exclude holds nothing that Go
// offers by default.
func neverOffered(group string) bool {
	switch group {
	case "aNULL", "eNULL", "NULL", "EXPORT", "LOW", "MEDIUM", "MD5", "RC4", "DES", "3DES", "PSK", "SRP", "DSS", "CAMELLIA", "SEED", "IDEA",
		"kRSA", "DH", "EDH", "ADH", "AECDH", "ARIA", "CAMELLIA128", "CAMELLIA256":
		return true
	}
	return false
}

// fitForHTTP2 refuses a list with which every client that speaks TLS 1.2 and
// chooses HTTP/2 would be turned away (RFC 9113 section 9.2.2).
func fitForHTTP2(c *tls.Config) error {
	if !slices.Contains(c.NextProtos, "h2") || c.MinVersion >= tls.VersionTLS13 {
		return nil
	}
	for _, id := range c.CipherSuites {
		switch id {
		case tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:
			return nil
		}
	}
	return errors.New("ciphers: HTTP/2 may be used with none of the list; add ECDHE-RSA-AES128-GCM-SHA256 or the like, or take h2 out of http_protocols")
}

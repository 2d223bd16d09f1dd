package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Options say where certificates are and what is asked of clients. They travel
// as JSON from the process that checked them to the one that serves.
type Options struct {
	// Certificates are files in PEM, the certificate first and then those between
	// it and the root. A directory stands for all that is in it (see [Load]).
	Certificates []string `json:"certificates"`
	// Keys are the private keys, in PEM and not encrypted, as many as there are
	// certificates and in their order; or none, and then each certificate's file
	// holds its key too. Directories have none.
	Keys []string `json:"keys"`
	// ClientCAs is a file in PEM with the authorities whose clients are let in.
	ClientCAs string `json:"client_cas"`
	// Clients says what is asked of clients.
	Clients Demand `json:"clients"`
	// Ciphers is a list for TLS 1.2 and below, see [parseCiphers]; "" for Go's.
	Ciphers string `json:"ciphers"`
	// Minimum is the lowest version that is spoken: "1.0", "1.1", "1.2" (also for
	// "") or "1.3".
	Minimum string `json:"minimum"`
	// Protocols are offered by ALPN (RFC 7301), the preferred first.
	Protocols []string `json:"protocols"`
}

// Demand is what is asked of clients.
type Demand uint8

// The demands have the numbers of Python's ssl.VerifyMode.
const (
	NoCertificate       Demand = iota // none is asked for
	OptionalCertificate               // one that is shown must be good
	RequiredCertificate               // without a good one there is no connection
)

// check refuses what contradicts itself, before any file is touched.
func (o Options) check() error {
	switch {
	case len(o.Certificates) == 0:
		return errors.New("keyfile is set and certfile is not")
	case len(o.Keys) > 0 && len(o.Keys) != len(o.Certificates):
		return fmt.Errorf("%d keys for %d certificates; give one for each, in the same order, or none if they are in the certificates' files",
			len(o.Keys), len(o.Certificates))
	case o.Clients > RequiredCertificate:
		return fmt.Errorf("demand %d of clients is not known", o.Clients)
	case o.Clients != NoCertificate && o.ClientCAs == "":
		// Falling back to the system's roots would let in every client that
		// holds a certificate for some web site.
		return errors.New("cert_reqs asks clients for certificates and ca_certs is not set; name the authorities that may issue them")
	}
	return nil
}

// base is the part of the reading that no file decides.
func (o Options) base() (*tls.Config, error) {
	c := &tls.Config{NextProtos: o.Protocols}
	switch o.Minimum {
	case "1.0":
		c.MinVersion = tls.VersionTLS10
	case "1.1":
		c.MinVersion = tls.VersionTLS11
	case "", "1.2":
		c.MinVersion = tls.VersionTLS12
	case "1.3":
		c.MinVersion = tls.VersionTLS13
	default:
		return nil, fmt.Errorf("minimum version %q is not known; use 1.0, 1.1, 1.2 or 1.3", o.Minimum)
	}
	switch o.Clients {
	case NoCertificate:
	case OptionalCertificate:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case RequiredCertificate:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	var err error
	c.CipherSuites, err = parseCiphers(o.Ciphers)
	if err == nil && c.CipherSuites != nil {
		err = fitForHTTP2(c)
	}
	return c, err
}

// Locate turns relative paths into absolute ones. A file that is in the
// directory credentials (systemd's $CREDENTIALS_DIRECTORY, systemd.exec(5); "" for
// none) is taken from there, all others are below the directory here.
func (o Options) Locate(credentials, here string) Options {
	find := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		if credentials != "" && exists(filepath.Join(credentials, path)) {
			return filepath.Join(credentials, path)
		}
		return filepath.Join(here, path)
	}
	located := o
	located.Certificates, located.Keys = nil, nil
	for _, path := range o.Certificates {
		located.Certificates = append(located.Certificates, find(path))
	}
	for _, path := range o.Keys {
		located.Keys = append(located.Keys, find(path))
	}
	located.ClientCAs = find(o.ClientCAs)
	return located
}

// ParseDemand reads cert_reqs: a number or name of Python's ssl.VerifyMode, or
// the last word of a name.
func ParseDemand(text string) (Demand, error) {
	switch strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(text), "verifymode."), "cert_") {
	case "0", "none", "":
		return NoCertificate, nil
	case "1", "optional":
		return OptionalCertificate, nil
	case "2", "required":
		return RequiredCertificate, nil
	}
	return 0, errors.New("not known; use 0 (none), 1 (optional) or 2 (required)")
}

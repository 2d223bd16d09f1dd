package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Store is the last good reading of the files of some [Options].
type Store struct {
	options Options
	config  atomic.Pointer[tls.Config]

	// Refresh's own.
	read    []mark // what the files looked like when they were read last
	pending []mark // what they looked like at the last Refresh
}

// Load reads everything once. Its error names the setting and the file that is
// wrong. Warnings are sentences about certificates that work and should not be
// used: those that have expired or are not valid yet.
func Load(o Options) (s *Store, warnings []string, err error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	s = &Store{options: o, read: o.marks()}
	s.pending = s.read
	config, warnings, err := o.load(time.Now())
	if err != nil {
		return nil, nil, err
	}
	s.config.Store(config)
	return s, warnings, nil
}

// Config is what to use for the next connection. It must not be changed.
func (s *Store) Config() *tls.Config { return s.config.Load() }

// Refresh reads the files again if they have changed and then stayed the same
// since the call before: two files are never replaced at one instant, and a
// file is seen half written. It reports whether there is a new reading. With an
// error the last one stays in use, and there will be no further error until the
// files change again.
func (s *Store) Refresh() (changed bool, warnings []string, err error) {
	now := s.options.marks()
	settled := slices.Equal(now, s.pending)
	s.pending = now
	if !settled || slices.Equal(now, s.read) {
		return false, nil, nil
	}
	s.read = now
	config, warnings, err := s.options.load(time.Now())
	if err != nil {
		return false, nil, err
	}
	s.config.Store(config)
	return true, warnings, nil
}

// load makes one reading.
func (o Options) load(now time.Time) (*tls.Config, []string, error) {
	config, err := o.base()
	if err != nil {
		return nil, nil, err
	}
	pairs, err := o.pairs()
	if err != nil {
		return nil, nil, err
	}
	var warnings []string
	var ch choice
	for _, p := range pairs {
		c, err := p.read()
		if err != nil {
			return nil, nil, err
		}
		if text := doubt(c.Leaf, now); text != "" {
			warnings = append(warnings, fmt.Sprintf("the certificate in %s %s", p.certificate, text))
		}
		ch.add(c)
	}
	config.GetCertificate = ch.certificate
	if o.ClientCAs != "" {
		if config.ClientCAs, err = authorities(o.ClientCAs); err != nil {
			return nil, nil, err
		}
	}
	return config, warnings, nil
}

func doubt(c *x509.Certificate, now time.Time) string {
	switch {
	case now.After(c.NotAfter):
		return "expired on " + c.NotAfter.Format(time.DateOnly)
	case now.Before(c.NotBefore):
		return "is not valid before " + c.NotBefore.Format(time.DateTime)
	}
	return ""
}

// choice finds the certificate for a name.
type choice struct {
	all   []*tls.Certificate
	named map[string][]*tls.Certificate // by name in lower case; *.example.org as written
}

func (ch *choice) add(c *tls.Certificate) {
	if ch.named == nil {
		ch.named = map[string][]*tls.Certificate{}
	}
	ch.all = append(ch.all, c)
	names := slices.Clone(c.Leaf.DNSNames)
	for _, ip := range c.Leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && c.Leaf.Subject.CommonName != "" {
		names = []string{c.Leaf.Subject.CommonName} // old, and no browser takes it, but it says what it is for
	}
	for _, name := range names {
		name = strings.ToLower(name)
		ch.named[name] = append(ch.named[name], c)
	}
}

// errNoCertificate is a client's problem: it takes none of our keys' kinds.
var errNoCertificate = errors.New("no certificate suits the client's signature algorithms")

// certificate chooses for tls.Config.GetCertificate: one with the name asked
// for, one with its wildcard, else the first of all; among several the first
// that the client can use (an RSA and an ECDSA certificate for one name).
// Clients that ask for no name get one for the address they came to.
func (ch *choice) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if name == "" && hello.Conn != nil {
		if addr, ok := hello.Conn.LocalAddr().(*net.TCPAddr); ok {
			name = addr.IP.String()
		}
	}
	if c := usable(ch.named[name], hello); c != nil {
		return c, nil
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if c := usable(ch.named["*."+parent], hello); c != nil {
			return c, nil
		}
	}
	if c := usable(ch.all, hello); c != nil {
		return c, nil
	}
	return nil, errNoCertificate
}

// usable returns the first that the client can verify, whatever its name. With
// one only there is nothing to choose, and the handshake says best what is
// wrong.
func usable(all []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(all) == 1 {
		return all[0]
	}
	anyName := *hello
	anyName.ServerName = "" // the name was matched here, or is not to be
	for _, c := range all {
		if anyName.SupportsCertificate(c) == nil {
			return c
		}
	}
	return nil
}

package settings

import "slices"

// CertFile returns the files and directories with certificates; none for plain
// HTTP.
func (v *Values) CertFile() []string { return slices.Clone(of[[]string](v, "certfile")) }

// KeyFile returns their keys' files, in the same order, or none.
func (v *Values) KeyFile() []string { return slices.Clone(of[[]string](v, "keyfile")) }

// CACerts returns the file of the authorities that clients' certificates may
// come from, or "".
func (v *Values) CACerts() string { return of[string](v, "ca_certs") }

// CertReqs returns what is asked of clients as it was written: a number of
// Python's ssl.VerifyMode or one of its names, in any case, with CERT_ or without.
func (v *Values) CertReqs() string { return of[string](v, "cert_reqs") }

// Ciphers returns OpenSSL's list of suites, or "" for a good choice. The gateway
// reads the list.
func (v *Values) Ciphers() string { return of[string](v, "ciphers") }

// TLSMinVersion returns "1.0", "1.1", "1.2" or "1.3".
func (v *Values) TLSMinVersion() string { return of[string](v, "tls_min_version") }

// TLSHandshakes is how many handshakes may be in progress.
func (v *Values) TLSHandshakes() int { return of[int](v, "tls_handshakes") }

// PlainListeners returns names of listeners without TLS.
func (v *Values) PlainListeners() []string { return slices.Clone(of[[]string](v, "plain_listeners")) }

// SSLVersion returns what has no effect.
func (v *Values) SSLVersion() string { return of[string](v, "ssl_version") }

// DoHandshakeOnConnect returns what has no effect.
func (v *Values) DoHandshakeOnConnect() bool { return of[bool](v, "do_handshake_on_connect") }

// SuppressRaggedEOFs returns what has no effect.
func (v *Values) SuppressRaggedEOFs() bool { return of[bool](v, "suppress_ragged_eofs") }

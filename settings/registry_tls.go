package settings

import (
	"errors"
	"slices"
	"strings"
)

// tlsSettings are about TLS. Gunicorn has the same but for those whose Note
// says otherwise.
var tlsSettings = []Setting{
	{
		Name: "certfile", Flag: "certfile", Metavar: "FILES", Group: TLS, Kind: CommaList,
		DefaultHelp: "none, plain HTTP",
		Help:        "Speak TLS with this certificate in PEM; several with commas between them, or a directory",
		Note:        "Gunicorn takes one. See [tls.md](tls.md) for how one is chosen and where files are looked for.",
		Since:       "0.1.0",
	},
	{
		Name: "keyfile", Flag: "keyfile", Metavar: "FILES", Group: TLS, Kind: CommaList,
		DefaultHelp: "the key is in the certificate's file",
		Help:        "Use this private key in PEM; as many as there are certificates, in their order",
		Since:       "0.1.0",
	},
	{
		Name: "ca_certs", Flag: "ca-certs", Metavar: "FILE", Group: TLS, Kind: String,
		DefaultHelp: "none",
		Help:        "Let clients in whose certificates these authorities have issued",
		Since:       "0.1.0",
	},
	{
		Name: "cert_reqs", Flag: "cert-reqs", Metavar: "DEMAND", Group: TLS, Kind: String,
		Default: "0", check: checkDemand,
		Help:  "Ask clients for a certificate: 0 or none, 1 or optional, 2 or required",
		Note:  "1 and 2 need `ca_certs`; Gunicorn falls back to the authorities of the system, which let in everybody who has a web site.",
		Since: "0.1.0",
	},
	{
		Name: "ciphers", Flag: "ciphers", Metavar: "LIST", Group: TLS, Kind: String,
		DefaultHelp: "the secure ones",
		Help:        "Speak TLS 1.2 and below with these suites only, by OpenSSL's names, with colons between them",
		Note:        "Groups like `ECDHE+AESGCM` are refused, and so are suites that Go does not have.",
		Since:       "0.1.0",
	},
	{
		Name: "tls_min_version", Flag: "tls-min-version", Metavar: "VERSION", Group: TLS, Kind: Choice,
		Default: "1.2", Choices: []string{"1.0", "1.1", "1.2", "1.3"},
		Help:  "Speak this version of TLS or a later one: 1.0, 1.1, 1.2 or 1.3",
		Note:  "Gunicorn leaves it to a hook, `ssl_context`. 1.0 and 1.1 are broken (RFC 8996) and for closed networks only.",
		Since: "0.1.0",
	},
	{
		Name: "tls_handshakes", Flag: "tls-handshakes", Metavar: "N", Group: TLS, Kind: Int,
		Default: "1024", Min: 1, Max: 1 << 20,
		Help:  "Let this many handshakes be in progress; clients past it wait, at most `client_timeout`",
		Note:  "Gunicorn has no such setting.",
		Since: "0.1.0",
	},
	{
		Name: "plain_listeners", Flag: "plain-listeners", Metavar: "NAMES", Group: TLS, Kind: CommaList,
		DefaultHelp: "none",
		Help:        "Do not speak TLS on these listeners",
		Note:        "Gunicorn has no such setting. A listener's name is the `FileDescriptorName=` of its unit, or for one of `bind` its address as the log shows it.",
		Since:       "0.1.0",
	},
	{
		Name: "ssl_version", Flag: "ssl-version", Metavar: "VERSION", Group: TLS, Kind: String,
		DefaultHelp: "none",
		Help:        "The protocol of Python's ssl module",
		Instead:     "use tls_min_version; Gunicorn ignores it too",
		Since:       "0.1.0",
	},
	{
		Name: "do_handshake_on_connect", Flag: "do-handshake-on-connect", Group: TLS, Kind: Bool,
		Default: "false",
		Help:    "Make handshakes before the worker is given the connection",
		Instead: "the gateway makes handshakes as soon as a client begins one, and none of them holds a worker",
		Since:   "0.1.0",
	},
	{
		Name: "suppress_ragged_eofs", Flag: "suppress-ragged-eofs", Group: TLS, Kind: Bool,
		Default: "true",
		Help:    "Take the end of a connection for the end of TLS",
		Instead: "clients that close without saying so first are no error here",
		Since:   "0.1.0",
	},
}

// checkDemand takes what Gunicorn's users write for a number of
// ssl.VerifyMode, and its names.
func checkDemand(text string) error {
	name := strings.TrimPrefix(strings.ToLower(text), "cert_")
	if !slices.Contains([]string{"0", "1", "2", "none", "optional", "required"}, name) {
		return errors.New("not known; use 0 (none), 1 (optional) or 2 (required)")
	}
	return nil
}

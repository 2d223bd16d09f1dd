package settings

// proxySettings are about servers in front and what they are believed.
var proxySettings = []Setting{
	{
		Name: "forwarded_allow_ips", Flag: "forwarded-allow-ips", Metavar: "ADDRESSES", Group: Gateway, Kind: String,
		Default: "127.0.0.1,::1", Env: "FORWARDED_ALLOW_IPS",
		Help:  "Let these proxies, with commas between them, speak for their clients; * for all",
		Note:  "Addresses and networks (`10.0.0.0/8`). Peers on Unix sockets always may. What they may say: `secure_scheme_headers`, `forwarder_headers` and `forwarded`; see [proxies.md](proxies.md).",
		Since: "0.1.0",
	},
	{
		Name: "secure_scheme_headers", Flag: "secure-scheme-headers", Metavar: "NAME=VALUE,...", Group: Gateway, Kind: Pairs,
		Default:     "X-FORWARDED-PROTOCOL=ssl,X-FORWARDED-PROTO=https,X-FORWARDED-SSL=on",
		DefaultHelp: "X-FORWARDED-PROTO=https and kin", check: checkHeaders,
		Help:  "Take a request for https if a trusted proxy sends one of these header fields with this value",
		Note:  "The default is that of Gunicorn: `X-FORWARDED-PROTOCOL=ssl,X-FORWARDED-PROTO=https,X-FORWARDED-SSL=on`. Values are compared exactly. Fields that contradict each other are answered 400. Not looked at with `forwarded = forwarded`. Gunicorn has it in the configuration file only.",
		Since: "0.1.0",
	},
	{
		Name: "forwarded", Flag: "forwarded", Metavar: "FAMILY", Group: Gateway, Kind: Choice,
		Default: "none", Choices: []string{"none", "x-forwarded", "forwarded"},
		Help:  "Believe trusted proxies about client address, host, port and prefix: none, x-forwarded or forwarded",
		Note:  "`x-forwarded` reads X-Forwarded-For, -Proto, -Host, -Port and -Prefix, `forwarded` the field of RFC 7239. Name only what your proxy sets itself: what it passes on is the client's. Gunicorn believes the scheme and never the rest, which is `none`. See [proxies.md](proxies.md).",
		Since: "0.1.0",
	},
	{
		Name: "proxy_protocol", Flag: "proxy-protocol", Metavar: "VERSION", Group: Gateway, Kind: Choice,
		Default: "off", Choices: []string{"off", "v1", "v2", "auto"}, Bare: "auto",
		aliases: map[string]string{"true": "auto", "false": "off"},
		Help:    "Expect a PROXY header at the start of each connection: off, v1, v2 or auto for either",
		Note:    "The bare option, and true in a file, mean auto. A connection without the header, or from a peer that is not in `proxy_allow_ips`, is closed and logged; Gunicorn serves it as if nothing were configured. See [proxies.md](proxies.md).",
		Since:   "0.1.0",
	},
	{
		Name: "proxy_allow_ips", Flag: "proxy-allow-from", Metavar: "ADDRESSES", Group: Gateway, Kind: String,
		Default: "127.0.0.1,::1",
		Help:    "Let these proxies, with commas between them, send PROXY headers; * for all",
		Note:    "Addresses and networks. Peers on Unix sockets always may.",
		Since:   "0.1.0",
	},
	{
		Name: "protocol", Flag: "protocol", Metavar: "PROTOCOL", Group: Gateway, Kind: Choice,
		Default: "http", Choices: []string{"http", "uwsgi"},
		Help:  "Expect this protocol from clients: http, or uwsgi from nginx's uwsgi_pass",
		Note:  "uwsgi is spoken on listeners without TLS; the connection ends with the response, as that protocol wants it. Packets are believed in everything, so only `uwsgi_allow_ips` and Unix sockets may send them.",
		Since: "0.1.0",
	},
	{
		Name: "uwsgi_allow_ips", Flag: "uwsgi-allow-from", Metavar: "ADDRESSES", Group: Gateway, Kind: String,
		Default: "127.0.0.1,::1",
		Help:    "Let these peers, with commas between them, send uwsgi packets; * for all",
		Note:    "Addresses and networks; Gunicorn compares addresses only. Peers on Unix sockets always may.",
		Since:   "0.1.0",
	},
	{
		Name: "forwarder_headers", Flag: "forwarder-headers", Metavar: "NAMES", Group: Gateway, Kind: CommaList,
		Default: "SCRIPT_NAME,PATH_INFO",
		Help:    "Accept these header names with underscores, with commas between them, from trusted proxies; * for all",
		Note:    "SCRIPT_NAME becomes the mount point, and a path that is not below it is answered 500. A field that is so accepted replaces those whose names differ only in dashes; Gunicorn joins them.",
		Since:   "0.1.0",
	},
	{
		Name: "header_map", Flag: "header-map", Metavar: "HOW", Group: Gateway, Kind: Choice,
		Default: "drop", Choices: []string{"drop", "refuse", "dangerous"},
		Help:  "Treat header names with underscores so: drop, refuse (400) or dangerous (let through)",
		Note:  "In the environ X_User and X-User are one name. With `dangerous` the one with dashes is taken where both are there; Gunicorn joins them.",
		Since: "0.1.0",
	},
}

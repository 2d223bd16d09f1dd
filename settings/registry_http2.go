package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// http2Settings are Gunicorn's, with other defaults where their Note says so.
var http2Settings = []Setting{
	{
		Name: "http_protocols", Flag: "http-protocols", Metavar: "LIST", Group: TLS, Kind: CommaList,
		Default: "h2,h1", check: checkProtocols,
		Help:  "Offer these to clients that speak TLS, the preferred first: h1, h2",
		Note:  "Gunicorn's default is `h1`: there the requests of an HTTP/2 connection wait for each other and hold a thread. Here they do not. `h3` is accepted and has no effect, as there.",
		Since: "0.1.0",
	},
	{
		Name: "http2_cleartext", Flag: "http2-cleartext", Metavar: "HOW", Group: TLS, Kind: Choice,
		Default: "off", Choices: []string{"off", "prior-knowledge"},
		Help:  "Speak HTTP/2 without TLS too: off, or prior-knowledge to clients that begin with it",
		Note:  "Gunicorn has `upgrade` and `both` besides, which RFC 9113 has taken back, and serves trusted proxies only; here anybody may.",
		Since: "0.1.0",
	},
	{
		Name: "http2_max_concurrent_streams", Flag: "http2-max-concurrent-streams", Metavar: "N", Group: TLS, Kind: Int,
		Default: "100", Min: 1, Max: 1 << 20,
		Help:  "Let a connection have this many requests open",
		Since: "0.1.0",
	},
	{
		Name: "http2_initial_window_size", Flag: "http2-initial-window-size", Metavar: "BYTES", Group: TLS, Kind: Bytes,
		Default: "1048576", Min: 65535, Max: 1<<31 - 1,
		Help:  "Let a client send this much of a request's body ahead",
		Note:  "Gunicorn's default is 65535, which limits an upload over 100 ms of network to 640 KB/s. That is the minimum here.",
		Since: "0.1.0",
	},
	{
		Name: "http2_max_frame_size", Flag: "http2-max-frame-size", Metavar: "BYTES", Group: TLS, Kind: Bytes,
		Default: "16384", Min: 16384, Max: 1<<24 - 1,
		Help:  "Read frames up to this size",
		Since: "0.1.0",
	},
	{
		Name: "http2_max_header_list_size", Flag: "http2-max-header-list-size", Metavar: "BYTES", Group: TLS, Kind: Bytes,
		Default: "65536", Min: 1024, Max: 65536,
		Help:  "Refuse a request with more header fields than this together with 431",
		Note:  "The limits of request line and fields hold for HTTP/2 too. Heads are never larger than 64 KiB.",
		Since: "0.1.0",
	},
}

// checkProtocols wants a list that leaves something to speak.
func checkProtocols(text string) error {
	list := splitCommas(text)
	for _, p := range list {
		if !slices.Contains([]string{"h1", "h2", "h3"}, p) {
			return fmt.Errorf("%q is not known; use h1 and h2, with a comma between them", p)
		}
	}
	if !strings.Contains(text, "h1") && !strings.Contains(text, "h2") {
		return errors.New("nothing left to speak; use h1 and h2, with a comma between them")
	}
	return nil
}

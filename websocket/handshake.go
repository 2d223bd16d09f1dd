package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"strconv"
	"strings"
)

// Version is the only value of Sec-WebSocket-Version that is spoken here.
const Version = "13"

// ValidKey reports whether a client's Sec-WebSocket-Key is sixteen bytes in
// base64 (RFC 6455 section 4.2.1).
func ValidKey(key string) bool {
	raw, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(raw) == 16
}

// AcceptKey is the Sec-WebSocket-Accept that belongs to a key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 section 1.3; no secret
	return base64.StdEncoding.EncodeToString(sum[:])
}

// DeflateAnswer is the Sec-WebSocket-Extensions that agrees to an offer which
// [OffersDeflate]. A server may demand client_no_context_takeover unasked (RFC
// 7692 section 7.1.1.2).
const DeflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// OffersDeflate reports whether a client's Sec-WebSocket-Extensions, all its
// values joined with commas, has an offer of permessage-deflate that can be
// agreed to.
func OffersDeflate(extensions string) bool {
	for _, offer := range strings.Split(extensions, ",") {
		name, parameters, _ := strings.Cut(offer, ";")
		if strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") && canDeflate(parameters) {
			return true
		}
	}
	return false
}

// canDeflate reads the parameters of an offer. One that is unknown, given twice
// or malformed makes the offer one to decline (RFC 7692 section 7.1).
func canDeflate(parameters string) bool {
	if strings.TrimSpace(parameters) == "" {
		return true
	}
	seen := map[string]bool{}
	for _, item := range strings.Split(parameters, ";") {
		name, value, valued := strings.Cut(strings.TrimSpace(item), "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if seen[name] {
			return false
		}
		seen[name] = true
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if valued {
				return false
			}
		case "client_max_window_bits":
			// Ours inflates with the largest window, which serves every smaller one.
			if valued && windowBits(value) == 0 {
				return false
			}
		case "server_max_window_bits":
			if !valued || windowBits(value) != 15 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// windowBits reads a window size of 8 to 15, perhaps in quotes; 0 if it is none.
func windowBits(value string) int {
	value = strings.TrimSpace(value)
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 8 || n > 15 || strconv.Itoa(n) != value {
		return 0
	}
	return n
}

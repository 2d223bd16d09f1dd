package static

import "strings"

// indexFile is what a directory shows.
const indexFile = "index.html"

// wellKnown is the directory that may be served although its name begins with a
// dot (RFC 8615): certificates are proved and contacts are named there.
const wellKnown = ".well-known"

// fileName turns a path below a mount (decoded; empty or beginning with "/") into
// a name for os.Root, and reports whether the path ended in a slash. ok is
// false for what no file is served for: dot segments, empty segments, control
// characters, backslashes, dotfiles. raw is the whole path as it was sent; a
// slash, backslash or NUL that had to be encoded in it was meant to get past
// somebody.
func fileName(rest, raw string, dotfiles bool) (name string, slash, ok bool) {
	if rest == "" || rest == "/" {
		return ".", rest == "/", !smuggles(raw)
	}
	rest = rest[1:]
	name = strings.TrimSuffix(rest, "/")
	first := true
	for part := range strings.SplitSeq(name, "/") {
		hidden := strings.HasPrefix(part, ".") && !dotfiles && !(first && part == wellKnown)
		if part == "" || part == "." || part == ".." || hidden || strings.ContainsFunc(part, forbidden) {
			return "", false, false
		}
		first = false
	}
	return name, len(name) < len(rest), !smuggles(raw)
}

func forbidden(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }

// smuggles reports an encoded slash, backslash or NUL.
func smuggles(raw string) bool {
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 || i+3 > len(raw) {
			return false
		}
		switch strings.ToLower(raw[i+1 : i+3]) {
		case "2f", "5c", "00":
			return true
		}
		raw = raw[i+1:]
	}
}

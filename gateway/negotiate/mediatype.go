package negotiate

import "strings"

// MediaType returns the offered media type (in lower case, without parameters)
// that a client likes best, of those it likes equally the first offered, and ""
// if it accepts none. accept is its Accept fields, joined by commas; a client
// without any takes everything. The weight of a type is that of the most
// specific range that holds it: type/subtype before type/* before */*.
func MediaType(accept string, offered ...string) string {
	best, most := "", 0
	for _, offer := range offered {
		if q := weight(accept, offer); q > most {
			best, most = offer, q
		}
	}
	return best
}

func weight(accept, offer string) int {
	if strings.Trim(accept, " \t") == "" {
		return 1000
	}
	kind, _, _ := strings.Cut(offer, "/")
	q, specific := 0, -1
	for name, given := range items(accept) {
		rank := -1
		switch name {
		case offer:
			rank = 2
		case kind + "/*":
			rank = 1
		case "*/*":
			rank = 0
		}
		if rank > specific {
			q, specific = given, rank
		}
	}
	return q
}

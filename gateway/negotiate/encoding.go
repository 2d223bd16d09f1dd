package negotiate

import (
	"slices"
	"strings"
)

// Encodings returns those of the offered content codings that a client accepts,
// best first: by its weights, and where those are equal in the order offered.
// accept is its Accept-Encoding fields, joined by commas; without any, or with
// an empty one, nothing but the plain representation should be sent, and the
// result is empty (RFC 9110 section 12.5.3 would allow more; clients that say
// nothing mostly cannot decode). Codings that the client likes less than the
// plain representation are left out too.
func Encodings(accept string, offered ...string) []string {
	weights := map[string]int{}
	for name, q := range items(accept) {
		weights[strings.TrimPrefix(name, "x-")] = q // x-gzip is gzip (RFC 9110 section 8.4.1.3)
	}
	others := weights["*"]
	plain, told := weights["identity"]
	if !told {
		plain = 0
	}
	of := func(coding string) int {
		if q, ok := weights[coding]; ok {
			return q
		}
		return others
	}
	var accepted []string
	for _, coding := range offered {
		if q := of(coding); q > 0 && q >= plain {
			accepted = append(accepted, coding)
		}
	}
	slices.SortStableFunc(accepted, func(a, b string) int { return of(b) - of(a) })
	return accepted
}

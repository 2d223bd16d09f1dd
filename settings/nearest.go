package settings

import "strings"

// Nearest returns the known name that takes the fewest mistakes to become the
// typed one, or "" when even that is too many to have been a slip. A beginning
// that only one name has counts as that name. Case, and a _ for a -, are no
// mistakes: settings are spelled with _ in files and with - on the command line.
func Nearest(typed string, known []string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	typed = plain(typed)
	best, least := "", max(2, len(typed)/3)+1
	var begun []string
	for _, name := range known {
		if d := mistakes(typed, plain(name)); d < least {
			best, least = name, d
		}
		if len(typed) > 2 && strings.HasPrefix(plain(name), typed) {
			begun = append(begun, name)
		}
	}
	if len(begun) == 1 {
		return begun[0]
	}
	return best
}

// mistakes counts the letters to insert, leave out, exchange or swap with
// their neighbour to make a from b: the distance of Damerau and Levenshtein
// with each letter touched once (optimal string alignment).
func mistakes(a, b string) int {
	before, last, this := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		this[0] = i
		for j := 1; j <= len(b); j++ {
			exchange := last[j-1]
			if a[i-1] != b[j-1] {
				exchange++
			}
			this[j] = min(last[j]+1, this[j-1]+1, exchange)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				this[j] = min(this[j], before[j-2]+1)
			}
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}

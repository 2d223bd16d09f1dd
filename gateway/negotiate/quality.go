package negotiate

import (
	"iter"
	"strings"
)

// items yields the members of a comma-separated list with their quality in
// thousandths (RFC 9110 section 12.4.2). Commas in quoted strings separate
// nothing. A member with a malformed weight is left out.
func items(list string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for len(list) > 0 {
			var item string
			item, list = cut(list, ',')
			name, q, ok := weigh(item)
			if ok && name != "" && !yield(name, q) {
				return
			}
		}
	}
}

// cut splits at the first separator that stands outside of quotes.
func cut(s string, separator byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// weigh takes an item apart: its name in lower case without parameters, and its
// weight, which is 1000 if it gives none.
func weigh(item string) (name string, q int, ok bool) {
	name, rest := cut(item, ';')
	q = 1000
	for rest != "" {
		var parameter string
		parameter, rest = cut(rest, ';')
		key, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.Trim(key, " \t"), "q") {
			if q, ok = parseWeight(strings.Trim(value, " \t")); !ok {
				return "", 0, false
			}
		}
	}
	return strings.ToLower(strings.Trim(name, " \t")), q, true
}

// parseWeight reads a qvalue: 0 or 1, with up to three decimals, at most 1.
func parseWeight(s string) (thousandths int, ok bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 || strings.Trim(decimals, "0123456789") != "" {
		return 0, false
	}
	for _, c := range whole + (decimals + "000")[:3] {
		thousandths = thousandths*10 + int(c-'0')
	}
	return thousandths, thousandths <= 1000
}

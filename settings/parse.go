package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse turns one text into the Go value of the setting's kind: string, int,
// bool, time.Duration, []string or []Pair; for a List, one item as a string. earlier is an
// error that was found when the text was fetched. Every error here is a reason
// and a remedy with a semicolon between them.
func (s Setting) parse(text string, earlier error) (any, error) {
	if earlier != nil {
		return nil, earlier
	}
	text = strings.TrimSpace(text)
	if strings.ContainsRune(text, 0) {
		// Such a text would be cut short by the first system call it reaches.
		return nil, errors.New("it holds a NUL byte; remove it")
	}
	if s.check != nil {
		if err := s.check(text); err != nil {
			return nil, err
		}
	}
	switch s.Kind {
	case Int:
		return s.parseInt(text)
	case Seconds:
		return s.parseSeconds(text)
	case Bytes:
		return s.parseBytes(text)
	case Choice:
		return s.parseChoice(text)
	case Bool:
		return parseBool(text)
	case CommaList:
		return splitCommas(text), nil
	case Pairs:
		return splitPairs(text)
	case String, List:
		return text, nil
	}
	return nil, fmt.Errorf("kind %d has no parser; this is a bug in the registry", s.Kind)
}

func (s Setting) parseInt(text string) (int, error) {
	if n, ok := s.words[strings.ToLower(text)]; ok {
		return n, nil
	}
	base := 10
	if s.anyBase {
		base = 0
	}
	long, err := strconv.ParseInt(text, base, strconv.IntSize)
	n := int(long)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n < s.Min || n > s.Max):
		return 0, fmt.Errorf("out of range; give a number from %d to %d%s", s.Min, s.Max, s.orWords())
	case err != nil:
		return 0, fmt.Errorf("not a whole number; give a number from %d to %d%s", s.Min, s.Max, s.orWords())
	}
	return n, nil
}

// orWords continues a sentence about the numbers that an Int takes.
func (s Setting) orWords() string {
	if len(s.words) == 0 {
		return ""
	}
	return ", or " + strings.Join(slices.Sorted(maps.Keys(s.words)), " or ")
}

// parseSeconds reads decimals too: half a second is a sensible limit in a
// test. Without a unit it does not read hexadecimal, exponents, "inf" or "nan",
// which strconv.ParseFloat would.
func (s Setting) parseSeconds(text string) (time.Duration, error) {
	var length time.Duration
	var err error
	if strings.ContainsAny(text, "hmsuµn") { // the units of time.ParseDuration
		length, err = time.ParseDuration(text)
	} else {
		plain := text != "" && strings.Trim(strings.TrimPrefix(text, "-"), "0123456789.") == "" && text != "-"
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		switch {
		case !plain:
			err = errSyntax
		case errors.Is(err, strconv.ErrRange), f > maxSeconds:
			length, err = (maxSeconds+1)*time.Second, nil // refused below
		default:
			length = time.Duration(f * float64(time.Second))
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("not a length of time; give seconds from %d to %d, or units like 1m30s", s.Min, s.Max)
	case length < time.Duration(s.Min)*time.Second, length > time.Duration(s.Max)*time.Second:
		return 0, fmt.Errorf("out of range; give seconds from %d to %d", s.Min, s.Max)
	}
	return length, nil
}

// errSyntax is replaced by the caller's words.
var errSyntax = errors.New("not a number")

// byteUnits are what a size may end with, the longer ones first.
var byteUnits = []struct {
	suffix string
	factor int
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"b", 1},
}

// parseBytes reads a size. A bare k or M is refused: programs disagree on
// whether it means 1000 or 1024.
func (s Setting) parseBytes(text string) (int, error) {
	number, factor := strings.ToLower(text), 1
	for _, unit := range byteUnits {
		if rest, ok := strings.CutSuffix(number, unit.suffix); ok {
			number, factor = strings.TrimSpace(rest), unit.factor
			break
		}
	}
	n, err := strconv.Atoi(number)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n > s.Max/factor || n*factor < s.Min):
		return 0, fmt.Errorf("out of range; give a size from %d to %d bytes", s.Min, s.Max)
	case err != nil:
		return 0, fmt.Errorf("not a size; give a number of bytes from %d to %d, or units like 64KiB", s.Min, s.Max)
	}
	return n * factor, nil
}

func (s Setting) parseChoice(text string) (string, error) {
	text = strings.ToLower(text)
	if name, ok := s.aliases[text]; ok {
		return name, nil
	}
	if !slices.Contains(s.Choices, text) {
		if len(s.Choices) == 1 {
			return "", fmt.Errorf("not available in this version; use %s", s.Choices[0])
		}
		return "", fmt.Errorf("not known; use one of %s", strings.Join(s.Choices, ", "))
	}
	return text, nil
}

// parseBool takes the two words that Gunicorn takes.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("neither true nor false; give one of them")
}

func splitCommas(text string) []string {
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func splitPairs(text string) ([]Pair, error) {
	pairs := []Pair{}
	for _, item := range splitCommas(text) {
		name, value, ok := strings.Cut(item, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not NAME=VALUE; write it like X-FORWARDED-PROTO=https", item)
		}
		pairs = append(pairs, Pair{name, value})
	}
	return pairs, nil
}

// checkHeaders refuses names that no header field can have: they would never
// be found, and their proxy never believed.
func checkHeaders(text string) error {
	pairs, err := splitPairs(text)
	for _, p := range pairs {
		if strings.ContainsFunc(p.Name, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
		}) {
			return fmt.Errorf("%q is no name of a header field; write it like X-FORWARDED-PROTO=https", p.Name)
		}
	}
	return err
}

// portToBind is what PORT means to Gunicorn and to the platforms that set it:
// every IPv4 address of the machine.
func portToBind(text string) (string, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil {
		return "", errors.New("not a port; give a number from 0 to 65535, or unset PORT and use --bind")
	}
	return "0.0.0.0:" + strconv.FormatUint(n, 10), nil
}

// sendfileFromEnv reads the words that Gunicorn takes for yes in SENDFILE; any
// other means no.
func sendfileFromEnv(text string) (string, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "y", "1", "yes", "true":
		return "true", nil
	}
	return "false", nil
}

// notEmpty refuses an empty text and says what to write instead.
func notEmpty(example string) func(string) error {
	return func(text string) error {
		if text == "" {
			return fmt.Errorf("empty; give %s", example)
		}
		return nil
	}
}

// checkEnv refuses what setenv(3) would refuse.
func checkEnv(text string) error {
	if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
		return errors.New("not NAME=VALUE; write it like DEBUG=1")
	}
	return nil
}

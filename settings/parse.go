package settings

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse turns one text into the Go value of the setting's kind: string, int,
// bool, time.Duration or []string; for a List, one item as a string. earlier is an
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
	case Choice:
		return s.parseChoice(text)
	case Bool:
		return parseBool(text)
	case CommaList:
		return splitCommas(text), nil
	case String, List:
		return text, nil
	}
	return nil, fmt.Errorf("kind %d has no parser; this is a bug in the registry", s.Kind)
}

func (s Setting) parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n < s.Min || n > s.Max):
		return 0, fmt.Errorf("out of range; give a number from %d to %d", s.Min, s.Max)
	case err != nil:
		return 0, fmt.Errorf("not a whole number; give a number from %d to %d", s.Min, s.Max)
	}
	return n, nil
}

// parseSeconds reads decimals too: half a second is a sensible limit in a
// test. It does not read hexadecimal, exponents, "inf" or "nan", which
// strconv.ParseFloat would.
func (s Setting) parseSeconds(text string) (time.Duration, error) {
	plain := text != "" && strings.Trim(text, "0123456789.") == ""
	negative := strings.HasPrefix(text, "-") && len(text) > 1 && strings.Trim(text[1:], "0123456789.") == ""
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case !plain && !negative, err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("not a number of seconds; give a number from %d to %d, without a unit", s.Min, s.Max)
	case f < float64(s.Min), f > float64(s.Max):
		return 0, fmt.Errorf("out of range; give a number of seconds from %d to %d", s.Min, s.Max)
	}
	return time.Duration(f * float64(time.Second)), nil
}

func (s Setting) parseChoice(text string) (string, error) {
	text = strings.ToLower(text)
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

// portToBind is what PORT means to Gunicorn and to the platforms that set it:
// every IPv4 address of the machine.
func portToBind(text string) (string, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil {
		return "", errors.New("not a port; give a number from 0 to 65535, or unset PORT and use --bind")
	}
	return "0.0.0.0:" + strconv.FormatUint(n, 10), nil
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

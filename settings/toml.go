package settings

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// FileError reports what is wrong in a configuration file, and where. Line and
// column count from 1.
type FileError struct {
	File         string
	Line, Column int
	Err          error
}

// Error names file, line, column and reason, in the form that editors know.
func (e *FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// tables are the top-level tables of indrik.toml that other parts of Indrik read.
var tables = []string{"unit"}

// FromTOML makes the layer of an indrik.toml: settings by their names at the top
// level, true or false for a Bool, a number or a string for the others, an array
// for a List. file is only named in messages. Text that is no TOML, a name that
// is no setting and a value of the wrong type are each a [*FileError].
func FromTOML(file string, text []byte) (Layer, error) {
	layer := Layer{Source: ConfigFile}
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		var decode *toml.DecodeError
		if errors.As(err, &decode) {
			line, column := decode.Position()
			return layer, &FileError{file, line, column, errors.New(strings.TrimPrefix(decode.Error(), "toml: "))}
		}
		return layer, fmt.Errorf("read %s: %w", file, err)
	}
	for _, key := range topLevel(text) {
		wrong := func(err error) (Layer, error) {
			return Layer{}, &FileError{file, key.line, key.column, err}
		}
		if slices.Contains(tables, key.name) {
			continue
		}
		s, known := ByName(key.name)
		if !known {
			return wrong(unknownName(key.name))
		}
		texts, err := s.texts(values[key.name])
		if err != nil {
			return wrong(fmt.Errorf("setting %s: %w", key.name, err))
		}
		layer.Items = append(layer.Items, Item{
			Name: key.name, Texts: texts, Origin: fmt.Sprintf("%s:%d: %s", file, key.line, key.name),
		})
	}
	return layer, nil
}

func unknownName(name string) error {
	if near := Nearest(name, Names()); near != "" {
		return fmt.Errorf("no setting is called %q; did you mean %s?", name, near)
	}
	return fmt.Errorf("no setting is called %q; docs/settings.md lists them", name)
}

// texts are the texts that a value of TOML stands for.
func (s Setting) texts(value any) ([]string, error) {
	list, isList := value.([]any)
	joined := s.Kind == CommaList || s.Kind == Pairs
	if isList && s.Kind != List && !joined {
		return nil, errors.New("it takes one value, not an array")
	}
	if !isList {
		list = []any{value}
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		text, err := s.text(item)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	if isList && joined {
		texts = []string{strings.Join(texts, ",")}
	}
	return texts, nil
}

func (s Setting) text(value any) (string, error) {
	number := s.Kind == Int || s.Kind == Seconds || s.Kind == Bytes
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		if _, ok := s.aliases["true"]; ok || s.Kind == Bool {
			return strconv.FormatBool(v), nil
		}
	case int64:
		if number {
			return strconv.FormatInt(v, 10), nil
		}
	case float64:
		if s.Kind == Seconds {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
	}
	return "", fmt.Errorf("%s is not what it takes; give %s", kindOf(value), s.values())
}

// kindOf names the type of a value as the TOML specification does.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	case time.Time, toml.LocalDate, toml.LocalDateTime, toml.LocalTime:
		return "a date or time"
	}
	return "a value"
}

// key is a name at the top level of a file, where it first occurs.
type key struct {
	name         string
	line, column int
}

// topLevel finds the top-level names of a text that is known to be TOML.
func topLevel(text []byte) []key {
	var keys []key
	var parser unstable.Parser
	parser.Reset(text)
	inTable := false
	for parser.NextExpression() {
		node := parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			inTable = true
		case unstable.KeyValue:
			if inTable {
				continue
			}
		default:
			continue
		}
		names := node.Key()
		if !names.Next() {
			continue
		}
		first := names.Node()
		name := string(first.Data)
		if slices.ContainsFunc(keys, func(k key) bool { return k.name == name }) {
			continue
		}
		at := int(first.Raw.Offset)
		before := text[:min(at, len(text))]
		keys = append(keys, key{
			name:   name,
			line:   1 + bytes.Count(before, []byte("\n")),
			column: at - bytes.LastIndexByte(before, '\n'),
		})
	}
	return keys
}

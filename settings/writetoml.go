package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TOML writes a layer as an indrik.toml that says the same, in the order of the
// registry, each setting with the remarks that remark returns for it as comments
// before it; nil for none. What cannot be said in such a file becomes a comment with
// the reason: a text that the setting refuses, and a setting that has no effect.
func TOML(layer Layer, remark func(name string) []string) string {
	var b strings.Builder
	for _, s := range registry {
		item, source := Strongest(s.Name, layer)
		if source == Default && !layer.names(s.Name) {
			continue
		}
		if remark != nil {
			for _, line := range remark(s.Name) {
				b.WriteString(comment(line))
			}
		}
		item.Name = s.Name
		value, err := s.read(claim{Item: item, source: layer.Source})
		switch {
		case err != nil:
			b.WriteString(comment(err.Error()))
		case s.Instead != "":
			b.WriteString(comment(fmt.Sprintf("%s = %s has no effect here: %s", s.Name, s.tomlValue(value), s.Instead)))
		default:
			fmt.Fprintf(&b, "%s = %s\n", s.Name, s.tomlValue(value))
		}
	}
	return b.String()
}

// names reports whether the layer mentions a setting, if only with an empty list.
func (l Layer) names(name string) bool {
	for _, item := range l.Items {
		if item.Name == name {
			return true
		}
	}
	return false
}

// comment makes comment lines of a text.
func comment(text string) string {
	return "# " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n# ") + "\n"
}

// tomlValue writes a value so that FromTOML reads it back.
func (s Setting) tomlValue(value any) string {
	switch v := value.(type) {
	case int:
		if s.anyBase {
			return fmt.Sprintf("0o%03o", v)
		}
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case time.Duration:
		if v%time.Second == 0 {
			return strconv.FormatInt(int64(v/time.Second), 10)
		}
		return tomlString(v.String())
	case []string:
		return tomlArray(v)
	case []Pair:
		items := make([]string, len(v))
		for i, pair := range v {
			items[i] = pair.Name + "=" + pair.Value
		}
		return tomlArray(items)
	case string:
		return tomlString(v)
	}
	return tomlString(fmt.Sprint(value))
}

func tomlArray(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = tomlString(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// tomlString is a basic string: quote, backslash and control characters escaped.
func tomlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

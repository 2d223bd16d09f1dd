package settings

import (
	"encoding/json"
	"strings"
)

// Schema is the JSON schema of indrik.toml, draft 7, which editors know: every
// setting with its type, limits and sentence of help. A test compares it with the
// committed docs/indrik.schema.json.
func Schema() string {
	properties := make(map[string]any, len(registry))
	for _, s := range registry {
		properties[s.Name] = s.schema()
	}
	for _, name := range tables {
		properties[name] = map[string]any{"type": "object"}
	}
	text, err := json.MarshalIndent(map[string]any{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "indrik.toml",
		"type":                 "object",
		"additionalProperties": false,
		"properties":           properties,
	}, "", "  ")
	if err != nil {
		return "" // maps of texts and numbers always have a form in JSON
	}
	return string(text) + "\n"
}

// schema describes the values that FromTOML takes for the setting; texts whose form
// is the setting's own business are any text.
func (s Setting) schema() map[string]any {
	description := s.Help + "."
	if s.Instead != "" {
		description += " It has no effect: " + s.Instead + "."
	}
	about := map[string]any{"description": description}
	text := map[string]any{"type": "string"}
	texts := map[string]any{"type": "array", "items": text}
	switch s.Kind {
	case Int:
		about["anyOf"] = []any{map[string]any{"type": "integer", "minimum": s.Min, "maximum": s.Max}, text}
	case Bytes:
		size := map[string]any{"type": "string", "pattern": `^\s*[0-9]+\s*([kKmMgGtT]([iI])?)?[bB]?\s*$`}
		about["anyOf"] = []any{map[string]any{"type": "integer", "minimum": s.Min, "maximum": s.Max}, size}
	case Seconds:
		length := map[string]any{"type": "string", "pattern": `^\s*([0-9.]+|([0-9.]+(h|m|s|ms|us|µs|ns))+)\s*$`}
		about["anyOf"] = []any{map[string]any{"type": "number", "minimum": s.Min, "maximum": s.Max}, length}
	case Bool:
		about["anyOf"] = []any{map[string]any{"type": "boolean"}, map[string]any{"type": "string", "pattern": "^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])$"}}
	case Choice:
		about["anyOf"] = s.choices(text)
	case List, CommaList, Pairs:
		about["anyOf"] = []any{text, texts}
	case String:
		about["type"] = "string"
	}
	return about
}

// choices are the words themselves, for an editor to offer, and any other text: words
// may be in capitals, and some settings know other names for them.
func (s Setting) choices(text map[string]any) []any {
	all := []any{map[string]any{"enum": s.Choices}}
	if _, ok := s.aliases["true"]; ok {
		all = append(all, map[string]any{"type": "boolean"})
	}
	if len(s.aliases) > 0 {
		return append(all, text)
	}
	var either []string
	for _, word := range s.Choices {
		var pattern strings.Builder
		for _, r := range word {
			lower, upper := strings.ToLower(string(r)), strings.ToUpper(string(r))
			if lower == upper {
				pattern.WriteString(`[` + lower + `]`)
			} else {
				pattern.WriteString("[" + lower + upper + "]")
			}
		}
		either = append(either, pattern.String())
	}
	return append(all, map[string]any{"type": "string", "pattern": "^(" + strings.Join(either, "|") + ")$"})
}

package settings

import (
	"slices"
	"strconv"
	"strings"
)

// FromScript makes the layer of a configuration file in Python from what it says:
// the texts of its values by the names of settings. file is only named in origins.
// Values are read as Gunicorn reads those of its file: whole numbers may be texts
// with a base (0x10, 0o22) and lose their decimals, as those of cpu_count()/2; a
// dict or list is one value where the setting is one text with commas.
func FromScript(file string, said map[string][]string) Layer {
	layer := Layer{Source: ConfigFile}
	for _, s := range registry {
		texts, there := said[s.Name]
		if !there {
			continue
		}
		switch s.Kind {
		case Int, Seconds, Bytes:
			texts = slices.Clone(texts)
			for i, text := range texts {
				texts[i] = s.scriptNumber(strings.TrimSpace(text))
			}
		case Pairs, CommaList:
			texts = []string{strings.Join(texts, ",")}
		}
		layer.Items = append(layer.Items, Item{Name: s.Name, Texts: texts, Origin: file + ": " + s.Name})
	}
	return layer
}

// scriptNumber writes a number as the setting's parser knows it.
func (s Setting) scriptNumber(text string) string {
	if len(text) > 2 && text[0] == '0' && strings.ContainsRune("xXoObB", rune(text[1])) {
		if n, err := strconv.ParseInt(text, 0, strconv.IntSize); err == nil {
			return strconv.FormatInt(n, 10)
		}
	}
	whole, rest, found := strings.Cut(text, ".")
	if found && s.Kind != Seconds && strings.Trim(rest, "0123456789") == "" {
		return whole
	}
	return text
}

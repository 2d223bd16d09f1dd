package settings

import (
	"fmt"
	"slices"
)

// Resolve decides every setting from what the layers say about it, in the
// order of their sources; two layers of one source are taken in the order
// given. A setting that no layer mentions has its default. Texts that a
// stronger source overrides are not looked at.
//
// Its errors are [*ValueError] for a text that the setting refuses, in the
// order of the registry, and [*UnknownError] for an item that names no setting.
func Resolve(layers ...Layer) (*Values, error) {
	said := make(map[string]claim)
	ordered := slices.Clone(layers)
	slices.SortStableFunc(ordered, func(a, b Layer) int { return int(a.Source) - int(b.Source) })
	for _, layer := range ordered {
		for _, item := range layer.Items {
			if _, ok := ByName(item.Name); !ok {
				return nil, &UnknownError{Name: item.Name, Source: layer.Source}
			}
			said[item.Name] = claim{Item: item, source: layer.Source}
		}
	}
	v := &Values{entries: make(map[string]entry, len(registry))}
	for _, s := range registry {
		c, ok := said[s.Name]
		if !ok {
			c = s.standard()
		}
		value, err := s.read(c)
		if err != nil {
			return nil, err
		}
		v.entries[s.Name] = entry{value: value, texts: c.Texts, source: c.source, origin: c.origin()}
	}
	return v, nil
}

// Strongest is what the strongest of the layers says about a setting, unread: for
// the few that must be known before every layer is there. Its source is [Default],
// and the Item without texts, if none of them mentions it.
func Strongest(name string, layers ...Layer) (Item, Source) {
	ordered := slices.Clone(layers)
	slices.SortStableFunc(ordered, func(a, b Layer) int { return int(b.Source) - int(a.Source) })
	for _, layer := range ordered {
		for _, item := range slices.Backward(layer.Items) {
			if item.Name == name && len(item.Texts) > 0 {
				return item, layer.Source
			}
		}
	}
	return Item{}, Default
}

// claim is what the strongest source says about a setting.
type claim struct {
	Item
	source Source
}

func (c claim) origin() string {
	if c.Origin != "" {
		return c.Origin
	}
	return c.source.String()
}

// standard is the claim of the registry itself.
func (s Setting) standard() claim {
	c := claim{Item: Item{Name: s.Name, Texts: []string{s.Default}}, source: Default}
	if s.Kind == List && s.Default == "" {
		c.Texts = nil
	}
	return c
}

// read parses and checks the texts of a claim.
func (s Setting) read(c claim) (any, error) {
	refuse := func(text string, err error) error {
		return &ValueError{Setting: s, Source: c.source, Origin: c.origin(), Text: text, Err: err}
	}
	if s.Kind == List {
		items := make([]string, 0, len(c.Texts))
		for _, text := range c.Texts {
			item, err := s.parse(text, c.err)
			if err != nil {
				return nil, refuse(text, err)
			}
			items = append(items, item.(string))
		}
		return items, nil
	}
	if len(c.Texts) != 1 {
		return nil, refuse(fmt.Sprint(c.Texts), fmt.Errorf("it takes one value; give it once"))
	}
	value, err := s.parse(c.Texts[0], c.err)
	if err != nil {
		return nil, refuse(c.Texts[0], err)
	}
	return value, nil
}

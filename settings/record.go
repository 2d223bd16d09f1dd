package settings

// Record is what was decided for one setting, as text, for another image of this
// process that decides it again: see [Recall].
type Record struct {
	Texts  []string `json:"texts"`
	Source string   `json:"source"` // as [Source.String] has it
	Origin string   `json:"origin"`
}

// Records returns what was decided for every setting, by name.
func (v *Values) Records() map[string]Record {
	all := make(map[string]Record, len(v.entries))
	for name, e := range v.entries {
		all[name] = Record{Texts: e.texts, Source: e.source.String(), Origin: e.origin}
	}
	return all
}

// Recall decides the settings as another version of this program did. A record of a
// setting that this version has not is passed over, and a setting without a record
// has its default. The errors are those of [Resolve]: a text that this version
// refuses.
func Recall(records map[string]Record) (*Values, error) {
	layers := make(map[Source]*Layer)
	for name, r := range records {
		if _, known := ByName(name); !known {
			continue
		}
		source := sourceCalled(r.Source)
		if layers[source] == nil {
			layers[source] = &Layer{Source: source}
		}
		layers[source].Items = append(layers[source].Items, Item{Name: name, Texts: r.Texts, Origin: r.Origin})
	}
	var all []Layer
	for _, l := range layers {
		all = append(all, *l)
	}
	return Resolve(all...)
}

// sourceCalled is the source of that name. One that this version has not stands for
// something that somebody has set, as a configuration file does.
func sourceCalled(name string) Source {
	for _, s := range Sources() {
		if s.String() == name {
			return s
		}
	}
	return ConfigFile
}

package settings_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/indrik/indrik/settings"
)

// What was decided is decided again in the same way, with the same origins; what
// another version has beside it does no harm.
func TestRecall(t *testing.T) {
	before, err := settings.Resolve(
		settings.Layer{Source: settings.CommandLine, Items: []settings.Item{
			{Name: "workers", Texts: []string{"7"}, Origin: "--workers"},
			{Name: "bind", Texts: []string{"127.0.0.1:1", "unix:/a b"}, Origin: "--bind"},
		}},
		settings.Layer{Source: settings.Environment, Items: []settings.Item{{Name: "timeout", Texts: []string{"2.5"}, Origin: "INDRIK_TIMEOUT"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(before.Records())
	if err != nil {
		t.Fatal(err)
	}
	var records map[string]settings.Record
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	delete(records, "keepalive")
	records["of_a_later_version"] = settings.Record{Texts: []string{"x"}, Source: "default"}
	r := records["backlog"]
	r.Source = "a source of a later version"
	records["backlog"] = r
	after, err := settings.Recall(records)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range settings.Names() {
		if !reflect.DeepEqual(after.Any(name), before.Any(name)) {
			t.Errorf("%s: %v, want %v", name, after.Any(name), before.Any(name))
		}
		if name != "backlog" && (after.Source(name) != before.Source(name) || after.Origin(name) != before.Origin(name)) {
			t.Errorf("%s comes from %v (%s), want %v (%s)", name, after.Source(name), after.Origin(name), before.Source(name), before.Origin(name))
		}
	}
	if got := after.Source("backlog"); got != settings.ConfigFile {
		t.Errorf("a source nobody knows is %v", got)
	}
	records["workers"] = settings.Record{Texts: []string{"-1"}, Source: "command line", Origin: "--workers"}
	if _, err := settings.Recall(records); err == nil {
		t.Error("a text that is refused was recalled")
	}
}

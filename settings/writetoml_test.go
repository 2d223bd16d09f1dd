package settings

import (
	"reflect"
	"strings"
	"testing"
)

// What is written must be read back as the same, for every kind of setting.
func TestTOMLIsReadBack(t *testing.T) {
	said := map[string][]string{
		"bind": {"unix:/a \"b\"\\c", ":80"}, "workers": {"3"}, "timeout": {"2.5"}, "keepalive": {"7"}, "umask": {"18"},
		"reload": {"true"}, "pythonpath": {"/a,/b"}, "secure_scheme_headers": {"X-A=1", "X-B=2"}, "raw_env": {"A=\x01\t", "B=é"},
		"worker_class": {"egg:gunicorn#gevent"}, "limit_request_line": {"64KiB"}, "proxy_protocol": {"true"}, "reload_extra_files": {},
		"chdir": {"/srv"},
	}
	layer := FromScript("gunicorn.conf.py", said)
	text := TOML(layer, func(name string) []string { return []string{"about " + name} })
	back, err := FromTOML("indrik.toml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	want, got := resolve(t, layer), resolve(t, back)
	for _, name := range Names() {
		if !reflect.DeepEqual(got.Any(name), want.Any(name)) {
			t.Errorf("%s: got %v, want %v", name, got.Any(name), want.Any(name))
		}
		if _, there := said[name]; there && !strings.Contains(text, "# about "+name+"\n"+name+" = ") {
			t.Errorf("%s has no line, or no remark:\n%s", name, text)
		}
	}
}

func TestTOMLOfWhatCannotBeSaid(t *testing.T) {
	text := TOML(FromScript("f.py", map[string][]string{"daemon": {"true"}, "workers": {"many"}, "threads": {"2"}}), nil)
	for _, want := range []string{
		"# daemon = true has no effect here: Indrik stays in the foreground",
		`# setting workers: f.py: workers is "many": not a whole number`,
		"threads = 2\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if back, err := FromTOML("indrik.toml", []byte(text)); err != nil || len(back.Items) != 1 {
		t.Errorf("read back %v, %v", back.Items, err)
	}
}

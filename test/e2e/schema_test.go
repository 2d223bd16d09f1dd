package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// judgeTOML validates indrik.toml files against the schema: one line for each file.
const judgeTOML = `
import json, sys, tomllib, fastjsonschema
judge = fastjsonschema.compile(json.load(open(sys.argv[1])))
for path in sys.argv[2:]:
    try:
        judge(tomllib.load(open(path, "rb")))
        print("yes")
    except fastjsonschema.JsonSchemaValueException:
        print("no")
`

// The JSON schema must agree with the program about what an indrik.toml may be.
func TestTheSchemaAgreesWithTheProgram(t *testing.T) {
	t.Parallel()
	needModules(t, "fastjsonschema", "tomllib")
	texts := map[string]string{
		"good.toml":  "workers = 2\ntimeout = '1m30s'\ngraceful_timeout = 2.5\nbind = [':80', 'unix:/s']\nlimit_request_line = '4KiB'\nreload = true\n[unit]\nname = 'x'\n",
		"words.toml": "header_map = 'DROP'\nproxy_protocol = true\nworker_class = 'uvicorn.workers.UvicornWorker'\npythonpath = '/a,/b'\nsecure_scheme_headers = ['A=b']\ndaemon = 'False'\n",
		"name.toml":  "wrokers = 2\n", "type.toml": "workers = true\n", "range.toml": "workers = 0\n", "word.toml": "header_map = 'maybe'\n",
		"size.toml": "limit_request_line = '4 pounds'\n", "time.toml": "timeout = 'soon'\n", "list.toml": "workers = [1]\n", "bool.toml": "reload = 1\n",
	}
	dir := files(t, texts)
	var names []string
	for name := range texts {
		names = append(names, name)
	}
	cmd := exec.Command(world.python, append([]string{"-c", judgeTOML, filepath.Join(world.root, "docs/indrik.schema.json")}, names...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	verdicts := strings.Fields(string(out))
	for i, name := range names {
		got := runs(t, dir, "check", name)
		if accepted := got.status == 0; accepted != (verdicts[i] == "yes") || accepted != (name == "good.toml" || name == "words.toml") {
			t.Errorf("%s: the schema says %s, the program %d: %s", name, verdicts[i], got.status, got.stderr)
		}
	}
}

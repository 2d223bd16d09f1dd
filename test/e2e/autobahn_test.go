package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allOfAutobahn adds the cases that measure more than they test: a thousand
// compressed messages at a time, in every size and window, some ten minutes of it.
var allOfAutobahn = flag.Bool("autobahn", false, "run all cases of Autobahn's test suite, also the long ones")

// autobahnCases are those of all sections, of the long ones a few. 9 is limits,
// 12 and 13 compression.
func autobahnCases() []string {
	if *allOfAutobahn {
		return []string{"*"}
	}
	return []string{
		"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*",
		"9.1.6", "9.2.6", "9.3.3", "9.4.9", "9.5.6", "9.6.1", "9.7.6", "9.8.6",
		"12.1.1", "12.1.18", "12.2.5", "12.3.9", "12.4.2", "12.5.13",
		"13.1.1", "13.2.2", "13.3.3", "13.4.4", "13.5.5", "13.6.6", "13.7.7",
	}
}

// verdict is the suite's on one case.
type verdict struct {
	Behavior      string `json:"behavior"`
	BehaviorClose string `json:"behaviorClose"`
}

// Autobahn's test suite plays a client that keeps and breaks every rule of RFC
// 6455 and RFC 7692, against an ASGI application that sends back what it hears.
func TestAutobahn(t *testing.T) {
	t.Parallel()
	wstest := filepath.Join(world.root, ".autobahn", "wstest")
	if _, err := os.Stat(wstest); err != nil {
		t.Skipf("test/install installs Autobahn's test suite where it finds Python 2.7: %v", err)
	}
	s := serve(t, launch{app: "wsbare:app"})
	_, address := s.listener(0)
	dir := t.TempDir()
	spec, err := json.Marshal(map[string]any{
		"outdir": dir, "cases": autobahnCases(), "exclude-cases": []string{}, "exclude-agent-cases": map[string]any{},
		"options": map[string]any{"failByDrop": false},
		"servers": []any{map[string]string{"agent": "indrik", "url": "ws://" + address}},
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "spec.json"), spec, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), wstest, "-m", "fuzzingclient", "-s", filepath.Join(dir, "spec.json"))
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said[max(0, len(said)-2000):])
	}
	judgeAutobahn(t, dir)
	s.wants("/", 200, "hello")
	s.stop()
}

func judgeAutobahn(t *testing.T, dir string) {
	t.Helper()
	var report struct {
		Indrik map[string]verdict `json:"indrik"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(text)).Decode(&report)
	}
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for id, v := range report.Indrik {
		count[v.Behavior]++
		if !acceptable(id, v.Behavior) || !acceptable(id, v.BehaviorClose) {
			what, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("indrik_case_%s.json", strings.ReplaceAll(id, ".", "_"))))
			t.Errorf("case %s: behavior %s, close %s\n%s %v", id, v.Behavior, v.BehaviorClose, brief(string(what)), err)
		}
	}
	t.Logf("%d cases: %v", len(report.Indrik), count)
	if len(report.Indrik) < 250 {
		t.Errorf("%d cases were run, there are more in sections 1 to 7 and 10", len(report.Indrik))
	}
}

// acceptable tells whether a verdict on a case is one that we want. Informational
// cases have no right answer. In the others a good message comes right before a
// breach of the protocol: the connection ends at once, whether or not the
// application's echo is on its way already.
func acceptable(id, verdict string) bool {
	switch verdict {
	case "OK", "INFORMATIONAL":
		return true
	case "NON-STRICT":
		return slices.Contains([]string{"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"}, id)
	case "UNIMPLEMENTED": // offers that demand a window smaller than ours, which are declined
		return strings.HasPrefix(id, "13.3.") || strings.HasPrefix(id, "13.4.") || strings.HasPrefix(id, "13.5.") || strings.HasPrefix(id, "13.6.")
	}
	return false
}

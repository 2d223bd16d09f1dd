package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bashCompletion is the package that the script is for, as all of its kind.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

// ask completes a line as bash does when the tabulator is pressed at its end: it loads the
// script, calls the function that it has registered and prints what that proposes.
const ask = `
source "$1"; source "$2"
COMP_LINE=$3; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
read -ra COMP_WORDS <<<"$COMP_LINE"
[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
function=$(complete -p indrik) && function=${function#*-F } && function=${function%% *}
"$function" indrik "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
`

// What bash proposes is what may follow: words that are commands, instances that run, what a
// command wants, options, files.
func TestBashCompletes(t *testing.T) {
	if _, err := os.Stat(bashCompletion); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	runtime := filepath.Join(dir, "runtime")
	for _, instance := range []string{"shop", "shelf"} {
		path := filepath.Join(runtime, "indrik", instance, "control")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "indrik"), ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	script := filepath.Join(dir, "script")
	_, text, _ := newTrial(t, "--completion", "bash").run()
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"indrik st":                      "stacks status",
		"indrik sc":                      "scale",
		"indrik check -":                 "--app",
		"indrik setup --ap":              "--app",
		"indrik status ":                 "shelf shop",
		"indrik status sho":              "shop",
		"indrik status shop ":            "",
		"indrik status --js":             "--json",
		"indrik log-level ":              "debug error info shelf shop trace warning",
		"indrik log-level shop ":         "debug error info trace warning",
		"indrik log-level debug ":        "",
		"indrik recycle shop a":          "all",
		"indrik --worker-cl":             "--worker-class",
		"indrik shop:app --threa":        "--threads",
		"indrik --worker-class g":        "gevent gthread",
		"indrik gat":                     "",
		"indrik unit":                    "",
		"indrik --header-map=dangerou":   "dangerous",
		"indrik -w 2 shop:app --worker-": "--worker-class --worker-connections --worker-memory-high --worker-memory-interval --worker-tmp-dir",
	} {
		cmd := exec.Command("bash", "--norc", "-c", ask, "bash", bashCompletion, script, line)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+runtime)
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		var got []string
		for proposal := range strings.Lines(string(out)) {
			if word, _, _ := strings.Cut(strings.TrimSpace(proposal), " "); word != "" { // what is it for stands behind
				got = append(got, word)
			}
		}
		slices.Sort(got)
		if all := strings.Join(got, " "); all != want && (line != "indrik check -" || !strings.Contains(all, want)) {
			t.Errorf("%q: got %q, want %q", line, all, want)
		}
	}
}

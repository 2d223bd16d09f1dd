package packages

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/test/lab"
)

// stepLimit bounds every single step of a test.
const stepLimit = 2 * time.Minute

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// project is the root of the checkout.
func project(t *testing.T) string {
	t.Helper()
	root, err := lab.Project()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// built is the one file below build/ that matches a pattern.
func built(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(project(t), "build", pattern))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case len(found) == 1:
		return found[0]
	case len(found) > 1:
		t.Fatalf("several files are build/%s: %q; make clean", pattern, found)
	}
	missing(t, "build/"+pattern+" (make test-packages builds it)")
	return ""
}

// tool is a program that a test needs, by its Debian package.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" (Debian package "+pkg+"; packaging/tools installs it)")
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI=true demands %s", what)
	}
	t.Skipf("there is no %s", what)
}

// run runs a command that must succeed and returns its standard output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
	defer cancel()
	var complaints strings.Builder
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, complaints.String())
	}
	return string(out)
}

// manifest is what packaging/manifest lists for one kind of package: paths below
// the root, sorted as listed, with the mode or the target of the link.
func manifest(t *testing.T, kind, zsh string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project(t), "packaging/manifest"))
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" || len(f) == 5 && f[4] != kind {
			continue
		}
		if len(f) < 4 {
			t.Fatalf("packaging/manifest: %q has less than four fields", line)
		}
		list["/"+strings.ReplaceAll(f[3], "@zsh@", zsh)] = f[0] + " " + f[1]
	}
	return list
}

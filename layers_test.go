// Package indrik_test holds the whole tree to its rules: which package may
// import which, and how the code is written. It has no product code beside it.
package indrik_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/indrik/indrik"

// layers is the architecture: for every package, the packages of ours that it
// may import. Imports point one way, cmd → master → gateway, pool → the leaves,
// and a leaf imports none. Changing this table is a design change and gets a
// sentence in the commit.
var layers = map[string][]string{
	"cmd/indrik": {"master", "gateway", "settings", "activation", "control", "unitfiles", "hosting", "logsink", "statsd", "programs", "top"}, // activation: to refuse an address as any other option
	"master":     {"cgroup", "cgroup/parts", "desk", "proc", "gateway", "pool", "dispatch", "settings", "activation", "control", "python", "logsink", "statsd", "pidfile", "metrics", "internal/mailbox"},
	"gateway":    {"accesslog", "logsink", "statsd", "gateway/certs", "gateway/negotiate", "gateway/static", "gateway/uwsgi", "dispatch", "http1", "websocket"},
	"programs":   {"cgroup", "cgroup/parts", "desk", "proc", "control", "pool", "settings", "activation", "pidfile", "metrics", "internal/mailbox"}, // a master like the other, of workers that are any program
	"desk":       {"activation", "cgroup", "control", "metrics", "pool", "proc", "settings"},                                                        // what both masters have in common where they answer for a service
	"pool":       {"internal/mailbox"},                                                                                                              // knows nothing of Python, HTTP or our sockets

	"accesslog":         {}, // what a line says; it writes none
	"activation":        {},
	"cgroup":            {},         // what the kernel counts and limits; it decides nothing
	"cgroup/parts":      {"cgroup"}, // the group of a service, divided
	"control":           {},         // the control socket: both ends
	"dispatch":          {},
	"gateway/certs":     {},                    // which certificate for whom; it speaks to nobody
	"gateway/negotiate": {},                    // what a client accepts; for files and for errors
	"gateway/static":    {"gateway/negotiate"}, // files below prefixes
	"gateway/uwsgi":     {"http1"},             // packets, read into the head that http1 defines
	"http1":             {},
	"hosting":           {},       // what setup asks of systemd; the caller says what is in the file
	"metrics":           {"proc"}, // what a service tells of itself
	"pidfile":           {},       // who is the master
	"proc":              {},       // what the kernel says of processes
	"settings":          {},
	"logsink":           {}, // where lines go
	"statsd":            {},
	"python":            {}, // the Python side, embedded
	"unitfiles":         {},
	"top":               {"control"}, // a service on a terminal; cmd finds service and terminal
	"websocket":         {},

	"bench/load": {}, // a client of any server, ours or not

	// Somebody else's program, with what is stable and nothing else.
	"examples/goservice": {"activation", "pool"},

	// Machinery for tests. Product code imports none of it.
	"internal/fdcheck":  {},
	"internal/testproc": {},

	// Machinery of several packages that nobody outside needs.
	"internal/mailbox": {},
	"test/chaos":       {},                                    // a client and a tormentor of the binary
	"test/e2e":         {"settings", "control", "activation"}, // the registry, to go through all of it; a client; a program for indrik exec
	"test/lab":         {},
	"test/packages":    {},
	"units":            {}, // tests of the unit files only
}

// testImports are what the tests of any package may import besides.
var testImports = []string{"internal/fdcheck", "internal/testproc", "test/lab"}

// leaves decide nothing and return their errors, so they have nothing to log.
var leaves = []string{
	"accesslog",
	"activation",
	"cgroup",
	"dispatch",
	"gateway/certs",
	"gateway/negotiate",
	"gateway/static",
	"gateway/uwsgi",
	"hosting",
	"http1",
	"metrics",
	"pidfile",
	"proc",
	"python",
	"settings",
	"unitfiles",
	"logsink",
	"statsd",
	"websocket",
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// name is the package's directory below the module's root; the root's is "".
func (p listed) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if p.name() != "" {
			all = append(all, p)
		}
	}
}

// ours reduces a list of imports to the packages of this module.
func ours(imports []string) []string {
	var names []string
	for _, path := range imports {
		if name, ok := strings.CutPrefix(path, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

// An import against the direction makes two packages one that cannot be read,
// tested or replaced alone.
func TestImportsPointOneWay(t *testing.T) {
	known := make(map[string]bool)
	for _, p := range packages(t) {
		name := p.name()
		known[name] = true
		allowed, ok := layers[name]
		if !ok {
			t.Errorf("package %s is not in the table of layers", name)
			continue
		}
		for _, imported := range ours(p.Imports) {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s; it may import %q", name, imported, allowed)
			}
		}
		for _, imported := range ours(slices.Concat(p.TestImports, p.XTestImports)) {
			if imported != name && !slices.Contains(allowed, imported) && !slices.Contains(testImports, imported) {
				t.Errorf("tests of %s import %s; they may import %q and %q", name, imported, allowed, testImports)
			}
		}
	}
	for name, allowed := range layers {
		for _, p := range append(allowed, name) {
			if !known[p] {
				t.Errorf("the table of layers names %s, which does not exist", p)
			}
		}
	}
}

// Logging in a leaf would say the same thing twice, and without the context
// that the caller has.
func TestLeavesDoNotLog(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(leaves, p.name()) {
			continue
		}
		for _, path := range p.Imports {
			if path == "log" || path == "log/slog" || strings.HasSuffix(path, "/go-hclog") {
				t.Errorf("%s imports %s: a leaf returns errors and does not log", p.name(), path)
			}
		}
	}
}

// Signals are received in one place and turned into values; a second receiver
// would steal them or act twice.
func TestOnlyTheCommandReceivesSignals(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasPrefix(p.name(), "examples/") || p.name() == "test/chaos" {
			continue // a program of its own
		}
		if slices.Contains(p.Imports, "os/signal") && p.name() != "cmd/indrik" {
			t.Errorf("%s imports os/signal: signals are received in cmd/indrik only", p.name())
		}
	}
}

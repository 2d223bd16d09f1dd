package indrik_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Limits on size, in lines. What is longer is two things, or is listed in
// longFiles or longFunctions with the reason why it is one.
const (
	maxFile     = 400
	maxFunction = 70
)

// longFiles may have more than maxFile lines.
var longFiles = map[string]string{
	"policy_test.go": "tables to which every part of the tree adds",
}

// longFunctions may have more than maxFunction lines; "file.go Function".
var longFunctions = map[string]string{
	"http1/fields_test.go TestFieldRefusals": "one table of cases",
	"settings/settings_test.go TestDefaults": "one table of cases",
}

// forbidden are calls and values that product code does without. A key with an
// import path's last element before the dot is that package's; one that begins
// with a dot is a method or field of anything.
var forbidden = map[string]string{
	"time.Sleep":            "wait for the event, with a limit",
	"os.Getenv":             "the environment is read in cmd/ and passed as a value",
	"os.LookupEnv":          "the environment is read in cmd/ and passed as a value",
	"os.Environ":            "the environment is read in cmd/ and passed as a value",
	"os.Exit":               "only main decides the exit status; deferred calls would be lost",
	"hclog.Default":         "loggers are made in cmd/ and handed down",
	"hclog.L":               "loggers are made in cmd/ and handed down",
	"http.DefaultServeMux":  "shared by everything that is linked in",
	"http.DefaultTransport": "shared by everything that is linked in",
	"http.DefaultClient":    "has no timeout",
	"http.HandleFunc":       "registers in the shared mux",
	"http.Handle":           "registers in the shared mux",
	".Pdeathsig":            "follows the thread, not the process, and fires on execve: use a pipe's end of file",
	".File":                 "File() of a listener makes the shared socket blocking: keep the inherited descriptor",
}

// forgiven are uses of what is forbidden, by directory or file, with the reason.
var forgiven = map[string]map[string]string{
	"cmd/indrik": {
		"os.Environ": "this is where it is read",
		"os.Getenv":  "this is where it is read",
		"os.Exit":    "main",
	},
	"bench/load":                  {"os.Exit": "main"},
	"test/chaos":                  {"os.Exit": "main", "os.Environ": "a service inherits it", "time.Sleep": "it is slow on purpose, and other people's processes have no events"},
	"examples/goservice":          {"os.Environ": "a program of its own", "os.Getenv": "a program of its own"},
	"internal/fdcheck/fdcheck.go": {"time.Sleep": "the kernel has no event for a closed descriptor"},
	"internal/testproc": {
		"os.Getenv":    "a test binary learns its part from the environment",
		"os.LookupEnv": "a test binary learns its part from the environment",
		"os.Environ":   "a part inherits the environment of the test",
		"os.Exit":      "stands in for main",
	},
	"test/lab/keeper.go": {"os.LookupEnv": "a test binary learns from the environment that it is the keeper"},
}

// readOnly are package variables that nothing writes. Errors by errors.New and embedded files need no entry.
var readOnly = map[string]string{
	"gateway/uwsgi/request.go contentLength":               "bytes that Go cannot hold in a constant",
	"gateway/uwsgi/request.go contentType":                 "bytes that Go cannot hold in a constant",
	"gateway/forwarding.go errForwarded":                   "error with a status",
	"gateway/forwarding.go errForwardedFor":                "error with a status",
	"gateway/forwarding.go errForwardedHost":               "error with a status",
	"gateway/forwarding.go errForwardedPort":               "error with a status",
	"gateway/forwarding.go errForwardedPrefix":             "error with a status",
	"gateway/forwarding.go errForwardedProto":              "error with a status",
	"gateway/forwarding.go errSchemes":                     "error with a status",
	"gateway/forwarding.go hostName":                       "bytes that Go cannot hold in a constant",
	"gateway/forwarding.go scriptName":                     "bytes that Go cannot hold in a constant",
	"gateway/hops.go colon":                                "bytes that Go cannot hold in a constant",
	"gateway/hops.go unknownNode":                          "bytes that Go cannot hold in a constant",
	"gateway/names.go errUnderscore":                       "error with a status",
	"gateway/origin.go httpPort":                           "bytes that Go cannot hold in a constant",
	"gateway/origin.go httpsPort":                          "bytes that Go cannot hold in a constant",
	"settings/registry_proxies.go proxySettings":           "a part of the registry",
	"gateway/certs/ciphers.go openSSLNames":                "table",
	"gateway/http2stream.go errSmuggled":                   "error with a status",
	"settings/registry_http2.go http2Settings":             "a part of it",
	"settings/registry_tls.go tlsSettings":                 "a part of it",
	"gateway/figures.go bounds":                            "table",
	"cmd/indrik/events.go events":                          "table",
	"cmd/indrik/events.go fieldNames":                      "table",
	"dispatch/clock.go clockStart":                         "an instant, read once",
	"gateway/conn.go connPhaseNames":                       "table",
	"gateway/inhand.go requestPhases":                      "table",
	"gateway/conn.go connMoves":                            "table of lawful moves",
	"gateway/environ.go commonKeys":                        "table, computed once",
	"gateway/stream.go crlf":                               "bytes that Go cannot hold in a constant",
	"gateway/scope.go scopeConstants":                      "table, computed once",
	"gateway/scope.go scopeExtensions":                     "table, computed once",
	"gateway/scope.go scopeValues":                         "table",
	"gateway/sys.go oneFD":                                 "size that only a function of x/sys tells",
	"http1/bytes.go class":                                 "table, computed once",
	"http1/environ.go envByte":                             "table, computed once",
	"pool/phase.go moves":                                  "table of lawful moves",
	"master/step.go stepMoves":                             "table of lawful moves",
	"settings/registry.go registry":                        "the registry of settings",
	"cmd/indrik/setup.go notInSetup":                       "table",
	"cmd/indrik/setupfile.go hidden":                       "table",
	"gateway/files.go fileTexts":                           "table",
	"gateway/requestid.go startName":                       "bytes that Go cannot hold in a constant",
	"gateway/static/types.go types":                        "table",
	"settings/parse.go byteUnits":                          "table",
	"settings/toml.go tables":                              "table",
	"settings/registry_application.go applicationSettings": "a part of the registry",
	"settings/registry_gateway.go gatewaySettings":         "a part of the registry",
	"settings/registry_programs.go programSettings":        "a part of the registry",
	"settings/registry_logging.go loggingSettings":         "a part of the registry",
	"settings/registry_idle.go idleSettings":               "a part of the registry",
	"settings/registry_paste.go pasteSettings":             "a part of the registry",
	"settings/registry_parser.go parserSettings":           "a part of the registry",
	"settings/registry_service.go serviceSettings":         "a part of the registry",
	"settings/registry_requests.go requestSettings":        "a part of the registry",
	"settings/registry_static.go staticSettings":           "a part of the registry",
	"accesslog/atoms.go letters":                           "Gunicorn's atoms",
	"accesslog/atoms.go shortPieces":                       "table",
	"accesslog/atoms.go jsonPairs":                         "the members of an object",
	"accesslog/atoms.go journalPairs":                      "the fields of an entry",
	"accesslog/render.go crlf":                             "two bytes to look for",
	"logsink/file.go newline":                              "a byte to look for",
	"logsink/syslog.go facilities":                         "names and their codes",
	"settings/registry_sockets.go socketSettings":          "a part of the registry",
	"settings/registry_websocket.go webSocketSettings":     "a part of the registry",
	"settings/registry_workers.go workerSettings":          "a part of the registry",
	"settings/registry_scale.go scaleSettings":             "a part of the registry",
	"settings/registry_deadlines.go deadlineSettings":      "a part of the registry",
	"settings/registry_workers.go classAliases":            "table",
	"examples/goservice/main.go version":                   "set by the linker (-ldflags -X)",
	"test/lab/root.go masked":                              "table",
	"cmd/indrik/version.go version":                        "set by the linker (-ldflags -X)",
	"cmd/indrik/version.go commit":                         "set by the linker (-ldflags -X)",
	"cmd/indrik/version.go date":                           "set by the linker (-ldflags -X)",
	"master/answers.go errStopping":                        "error with a status",
	"master/rollback.go errNotKept":                        "error with a status",
	"master/rollback.go errUnderWay":                       "error with a status",
	"programs/clerk.go errNoRequests":                      "error with a status",
	"programs/clerk.go errNoStacks":                        "error with a status",
	"programs/orders.go errIsStopping":                     "error with a status",
	"desk/ask.go ErrNoRollback":                            "error with a status",
	"cmd/indrik/control.go decrease":                       "pattern",
	"unitfiles/instance.go namePattern":                    "pattern",
	"unitfiles/instance.go userPattern":                    "pattern",
	"unitfiles/instance.go modePattern":                    "pattern",
	"unitfiles/instance.go memoryPattern":                  "pattern",
	"unitfiles/instance.go credPattern":                    "pattern",
}

// source is one Go file of the tree.
type source struct {
	path string // below the root, with slashes
	text *ast.File
	fset *token.FileSet
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }
func (s source) dir() string  { return filepath.ToSlash(filepath.Dir(s.path)) }

func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

// lines counts the lines of a node, the first and the last included.
func (s source) lines(n ast.Node) int { return s.line(n.End()) - s.line(n.Pos()) + 1 }

// tree parses every Go file below the root.
func tree(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || path == "build") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		fset := token.NewFileSet()
		text, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{filepath.ToSlash(path), text, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whoever opens a package reads what it is for, once and in a known place.
func TestEveryPackageIsDocumentedInDocGo(t *testing.T) {
	product, documented := make(map[string]bool), make(map[string]bool)
	for _, s := range tree(t) {
		if s.isTest() {
			continue
		}
		product[s.dir()] = true
		switch {
		case s.text.Doc == nil:
		case filepath.Base(s.path) != "doc.go":
			t.Errorf("%s has a package comment; it belongs in doc.go", s.path)
		default:
			documented[s.dir()] = true
		}
	}
	for dir := range product {
		if !documented[dir] {
			t.Errorf("%s has no doc.go with a package comment", dir)
		}
	}
}

// Long files and functions hide a second subject.
func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, s := range tree(t) {
		n := s.line(s.text.FileEnd)
		if _, excused := longFiles[s.path]; n > maxFile && !excused {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFile)
		}
		for _, decl := range s.text.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			key := s.path + " " + f.Name.Name
			if _, excused := longFunctions[key]; s.lines(f) > maxFunction && !excused {
				t.Errorf("%s:%d: %s has %d lines, more than %d", s.path, s.line(f.Pos()), f.Name.Name, s.lines(f), maxFunction)
			}
		}
	}
}

// Each of these has cost somebody a bad night; the table says which.
func TestForbiddenCalls(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.text, func(n ast.Node) bool {
			for _, used := range uses(n) {
				if why, bad := forbidden[used]; bad && !s.isForgiven(used) {
					t.Errorf("%s:%d: %s: %s", s.path, s.line(n.Pos()), used, why)
				}
			}
			return true
		})
	}
}

func (s source) isForgiven(used string) bool {
	_, byFile := forgiven[s.path][used]
	_, byDir := forgiven[s.dir()][used]
	return byFile || byDir
}

// uses gives the names under which a node could be forbidden.
func uses(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if pkg, ok := n.X.(*ast.Ident); ok {
			return []string{pkg.Name + "." + n.Sel.Name}
		}
	case *ast.CallExpr: // x.File(), but not the field or the type
		if method, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) == 0 {
			return []string{"." + method.Sel.Name}
		}
	case *ast.KeyValueExpr: // SysProcAttr{Pdeathsig: …}
		if key, ok := n.Key.(*ast.Ident); ok {
			return []string{"." + key.Name + fieldOnly(key.Name)}
		}
	}
	return nil
}

// fieldOnly keeps a struct field called File from being taken for the method.
func fieldOnly(name string) string {
	if name == "File" {
		return " (field)"
	}
	return ""
}

// A sleep in a test is a race that is usually won. Time made up by
// testing/synctest is another matter, a part (parts_test.go) plays a process
// that is slow, and where there is no event a comment on or above the line says so.
func TestSleepsInTestsHaveAReason(t *testing.T) {
	for _, s := range tree(t) {
		if !s.isTest() || filepath.Base(s.path) == "parts_test.go" || s.imports("testing/synctest") {
			continue
		}
		said := make(map[int]bool)
		for _, group := range s.text.Comments {
			said[s.line(group.Pos())] = true // on the line itself
			said[s.line(group.End())+1] = true
		}
		ast.Inspect(s.text, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for _, used := range uses(call.Fun) {
				if used == "time.Sleep" && !said[s.line(call.Pos())] {
					t.Errorf("%s:%d: time.Sleep without a comment on or above its line: wait for the event, or say why there is none", s.path, s.line(call.Pos()))
				}
			}
			return true
		})
	}
}

func (s source) imports(path string) bool {
	for _, spec := range s.text.Imports {
		if spec.Path.Value == fmt.Sprintf("%q", path) {
			return true
		}
	}
	return false
}

// What runs before main, or can change under everybody's feet, cannot be
// followed by reading.
func TestNoInitAndNoMutablePackageVariables(t *testing.T) {
	unused := make(map[string]bool)
	for key := range readOnly {
		unused[key] = true
	}
	for _, s := range tree(t) {
		if s.isTest() {
			continue
		}
		for _, decl := range s.text.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s:%d: init()", s.path, s.line(d.Pos()))
				}
			case *ast.GenDecl:
				for _, name := range variables(d) {
					key := s.path + " " + name
					if _, listed := readOnly[key]; !listed {
						t.Errorf("%s:%d: package variable %s: if nothing writes it, list it in readOnly", s.path, s.line(d.Pos()), name)
					}
					delete(unused, key)
				}
			}
		}
	}
	for key := range unused {
		t.Errorf("readOnly lists %q, which does not exist", key)
	}
}

// variables names the package variables of a declaration, but for blank ones,
// sentinel errors and embedded files.
func variables(d *ast.GenDecl) []string {
	if d.Tok != token.VAR || (d.Doc != nil && strings.Contains(embedComments(d.Doc), "//go:embed")) {
		return nil
	}
	var names []string
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		for i, name := range v.Names {
			if name.Name == "_" || (i < len(v.Values) && isSentinel(v.Values[i])) {
				continue
			}
			names = append(names, name.Name)
		}
	}
	return names
}

// embedComments is the raw text of a comment: Text() leaves directives out.
func embedComments(group *ast.CommentGroup) string {
	var text strings.Builder
	for _, c := range group.List {
		text.WriteString(c.Text + "\n")
	}
	return text.String()
}

func isSentinel(value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	for _, used := range uses(call.Fun) {
		if used == "errors.New" || used == "fmt.Errorf" {
			return true
		}
	}
	return false
}

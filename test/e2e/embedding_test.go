package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// embedded starts the service from Python and waits until it serves.
func embedded(t *testing.T, dir string, args ...string) *service {
	t.Helper()
	s := start(t, launch{dir: dir, program: append([]string{world.python}, args...), env: []string{
		"INDRIK_BINARY=" + world.binary, "PYTHONPATH=" + filepath.Join(world.root, "python"),
	}})
	s.stderr.await(t, 1, "[INFO]", "indrik.master: serving:")
	return s
}

const embeddedApp = `
def app(environ, start_response):
    start_response("200 OK", [])
    return [__name__.encode()]

class Box:
    @staticmethod
    def inner(environ, start_response):
        start_response("200 OK", [])
        return [b"inner"]

same = Box()
same.__call__ = None
`

// Every documented way to start from Python must serve, as the same process, with
// the interpreter it was started with.
func TestStartedFromPython(t *testing.T) {
	t.Parallel()
	settings := `bind="127.0.0.1:0", workers=2, raw_env=["A=1", "B=\"x\""], timeout=2.5, preload_app=False, chdir=None`
	standalone := `
import indrik
class Standalone(indrik.BaseApplication):
    def __init__(self, app, options=None):
        self.options, self.application = options or {}, app
        super().__init__()
    def load_config(self):
        for key, value in self.options.items():
            if key in self.cfg.settings and value is not None:
                self.cfg.set(key.lower(), value)
    def load(self):
        return self.application
if __name__ == "__main__":
    Standalone(app, {"bind": "127.0.0.1:0", "workers": 1}).run()
`
	for _, c := range []struct {
		name, script, says string
	}{
		{"a name", `import indrik; indrik.run("mine:app", ` + settings + ")\n", "mine"},
		{"a callable of a module", `import indrik, mine; indrik.run(mine.app, ` + settings + ")\n", "mine"},
		{"a callable of a class", `import indrik, mine; indrik.run(mine.Box.inner, bind="127.0.0.1:0")` + "\n", "inner"},
		{"a callable of the script", embeddedApp + "\nif __name__ == '__main__':\n    import indrik\n    indrik.run(app, " + settings + ")\n", "script"},
		{"BaseApplication", embeddedApp + standalone, "script"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := files(t, map[string]string{"mine.py": embeddedApp, "script.py": c.script})
			s := embedded(t, dir, "script.py")
			s.wants("/", 200, c.says)
			for _, pid := range append(s.children("worker"), s.the("gateway"), s.the("mold")) {
				links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // the pattern is well formed
				for _, link := range links {
					if to, err := os.Readlink(link); err == nil && strings.Contains(to, "indrik.toml") {
						t.Errorf("process %d holds the configuration", pid)
					}
				}
			}
			s.stop()
		})
	}
	t.Run("python -m", func(t *testing.T) {
		t.Parallel()
		dir := files(t, map[string]string{"mine.py": embeddedApp})
		s := embedded(t, dir, "-m", "indrik", "-b", "127.0.0.1:0", "mine:app")
		s.wants("/", 200, "mine")
		s.stop()
	})
}

// What cannot be handed over is refused with the reason and what to do.
func TestRefusedFromPython(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"indrik.run(lambda e, s: [])":            "cannot be imported by a name",
		"indrik.run('a:b', post_fork=print)":     "post_fork is a function",
		"indrik.run('a:b', workers=object())":    "workers cannot be",
		"indrik.run('a:b', wrokers=2)":           "did you mean workers?",
		"indrik.run('a:b', workers=-1)":          "give a number from 1",
		"indrik.run('no.such:app', bind='[::1')": "bind",
		"indrik.BaseApplication().run()":         "load() must return",
	} {
		cmd := exec.Command(world.python, "-c", "import indrik\n"+script)
		cmd.Env = append(os.Environ(), "INDRIK_BINARY="+world.binary, "PYTHONPATH="+filepath.Join(world.root, "python"))
		cmd.Dir = t.TempDir()
		if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), want) {
			t.Errorf("%s: %v\n%s", script, err, said)
		}
	}
	cmd := exec.Command(world.python, "-m", "indrik", "app")
	cmd.Env = append(os.Environ(), "INDRIK_BINARY=/nonexistent", "PYTHONPATH="+filepath.Join(world.root, "python"))
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "indrik: INDRIK_BINARY is '/nonexistent'") {
		t.Errorf("%v\n%s", err, said)
	}
}

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProjectApp(t *testing.T) {
	manage := `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.production")`
	for name, c := range map[string]struct {
		files    map[string]string
		settings string
		want     string
	}{
		"django":                {map[string]string{"manage.py": manage, "shop/wsgi.py": ""}, "", "shop.wsgi"},
		"django's variable":     {map[string]string{"manage.py": manage, "other/wsgi.py": ""}, "other.settings", "other.wsgi"},
		"django, no wsgi.py":    {map[string]string{"manage.py": manage}, "", ""},
		"wsgi.py":               {map[string]string{"wsgi.py": "import x\napplication = x.make()\n", "app.py": "app = 1\n"}, "", "wsgi:application"},
		"wsgi.py that imports":  {map[string]string{"wsgi.py": "from shop import app\n"}, "", "wsgi:app"},
		"app.py":                {map[string]string{"app.py": "import flask\napp = flask.Flask(__name__)\n"}, "", "app:app"},
		"a function":            {map[string]string{"app.py": "async def app(scope, receive, send):\n    pass\n"}, "", "app:app"},
		"only below a function": {map[string]string{"app.py": "def create():\n    app = 1\n"}, "", ""},
		"nothing":               {nil, "", ""},
	} {
		dir := t.TempDir()
		for path, text := range c.files {
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		env := func(key string) string { return map[string]string{"DJANGO_SETTINGS_MODULE": c.settings}[key] }
		if got := projectApp(dir, env); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// A folder is enough, where it says plainly what its application is.
func TestServeAFolder(t *testing.T) {
	for name, args := range map[string][]string{"nothing": nil, "dot": {"."}, "path": {"./"}} {
		tr := inDirectory(t, map[string]string{"app.py": "app = print\n"}, args...)
		if status, _, stderr := tr.run(); status != exitOK || tr.master.Settings.WSGIApp() != "app:app" || tr.master.App != "" {
			t.Errorf("%s: status %d: %s", name, status, stderr)
		}
	}
	tr := inDirectory(t, map[string]string{"app.py": "app = print\n", "indrik.toml": "wsgi_app = 'other:app'\n"})
	if status, _, stderr := tr.run(); status != exitOK || tr.master.Settings.WSGIApp() != "other:app" {
		t.Errorf("status %d, want the application of the file: %s", status, stderr)
	}
	tr = inDirectory(t, nil, ".")
	if status, _, _ := tr.run(); status != exitUsage {
		t.Errorf("an empty folder: status %d", status)
	}
}

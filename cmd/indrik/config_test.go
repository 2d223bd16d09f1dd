package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/indrik/indrik/settings"
)

// inDirectory makes a trial in a directory of its own with these files.
func inDirectory(t *testing.T, files map[string]string, args ...string) *trial {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return newTrial(t, args...)
}

func TestConfigurationFiles(t *testing.T) {
	both := map[string]string{"indrik.toml": "workers = 3\n", "gunicorn.conf.py": "workers = 4\n", "other.toml": "workers = 5\n"}
	for _, c := range []struct {
		name    string
		files   map[string]string
		args    []string
		env     []string
		workers int    // 0: not settled
		script  string // base name
	}{
		{"none", nil, []string{"app"}, nil, 1, ""},
		{"the TOML file that is here", map[string]string{"indrik.toml": "workers = 3\n"}, []string{"app"}, nil, 3, ""},
		{"the Python file that is here", map[string]string{"gunicorn.conf.py": ""}, []string{"app"}, nil, 0, "gunicorn.conf.py"},
		{"a named one", both, []string{"-c", "other.toml", "app"}, nil, 5, ""},
		{"a named one, as Gunicorn writes it", both, []string{"-c", "file:gunicorn.conf.py", "app"}, nil, 0, "gunicorn.conf.py"},
		{"one that may be missing and is not", both, []string{"-c", "-other.toml", "app"}, nil, 5, ""},
		{"one that may be missing and is", map[string]string{"indrik.toml": "workers = 3\n"}, []string{"--config=-none.toml", "app"}, nil, 3, ""},
		{"one that may be missing, as Gunicorn writes it", both, []string{"-c", "-file:gunicorn.conf.py", "app"}, nil, 0, "gunicorn.conf.py"},
		{"named by arguments", both, []string{"app"}, []string{"GUNICORN_CMD_ARGS=-c other.toml"}, 5, ""},
		{"named by a variable", both, []string{"app"}, []string{"INDRIK_CONFIG=other.toml"}, 5, ""},
		{"arguments win over a file", both, []string{"-c", "other.toml", "app"}, []string{"GUNICORN_CMD_ARGS=--workers 6"}, 6, ""},
		{"a variable over arguments", nil, []string{"app"}, []string{"GUNICORN_CMD_ARGS=--workers 6", "INDRIK_WORKERS=7"}, 7, ""},
		{"the command line over all", nil, []string{"-w", "8", "app"}, []string{"GUNICORN_CMD_ARGS=--workers 6", "INDRIK_WORKERS=7"}, 8, ""},
		{"the application of a file", map[string]string{"indrik.toml": "wsgi_app = 'a:b'\n"}, nil, nil, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := inDirectory(t, c.files, c.args...)
			tr.env = append(tr.env, c.env...)
			status, _, stderr := tr.run()
			if status != exitOK || !slices.Equal(tr.roles, []string{"master"}) {
				t.Fatalf("status %d, roles %v: %s", status, tr.roles, stderr)
			}
			if got := tr.master.Script.Name; (got == "") != (c.script == "") || got != "" && (filepath.Base(got) != c.script || !filepath.IsAbs(got)) {
				t.Errorf("script: got %q, want %q as an absolute path", got, c.script)
			}
			if c.workers == 0 {
				if tr.master.Settings != nil {
					t.Error("settings are settled before the script was run")
				}
			} else if got := tr.master.Settings.Workers(); got != c.workers {
				t.Errorf("%d workers from %s, want %d", got, tr.master.Settings.Origin("workers"), c.workers)
			}
		})
	}
}

// What a script says must find its place between the sources.
func TestScriptIsDecidedWithAllElse(t *testing.T) {
	tr := inDirectory(t, map[string]string{"gunicorn.conf.py": ""}, "-t", "5")
	tr.env = append(tr.env, "WEB_CONCURRENCY=nonsense", "GUNICORN_CMD_ARGS=--keep-alive 9")
	if status, _, stderr := tr.run(); status != exitOK {
		t.Fatalf("status %d: %s", status, stderr)
	}
	script := settings.Layer{Source: settings.ConfigFile, Items: []settings.Item{
		{Name: "workers", Texts: []string{"4"}}, {Name: "timeout", Texts: []string{"6"}},
		{Name: "keepalive", Texts: []string{"7"}}, {Name: "wsgi_app", Texts: []string{"a:b"}},
	}}
	values, err := tr.master.Script.Decide(script)
	if err != nil {
		t.Fatal(err)
	}
	if values.Workers() != 4 || values.Timeout().Seconds() != 5 || values.KeepAlive().Seconds() != 9 || values.WSGIApp() != "a:b" {
		t.Errorf("got %d workers, timeout %v, keepalive %v, application %q", values.Workers(), values.Timeout(), values.KeepAlive(), values.WSGIApp())
	}
	if _, err := tr.master.Script.Decide(settings.Layer{}); err == nil || !strings.Contains(err.Error(), "WEB_CONCURRENCY") {
		t.Errorf("without the script's own: %v", err)
	}
}

func TestConfigurationRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  map[string]string
		args   []string
		env    []string
		status int
		want   string
	}{
		{"both", map[string]string{"indrik.toml": "", "gunicorn.conf.py": ""}, []string{"app"}, nil, exitConfig, "both indrik.toml and gunicorn.conf.py are here; name the one to use with --config"},
		{"missing", nil, []string{"-c", "none.py", "app"}, nil, exitConfig, "configuration file of --config: stat none.py: no such file"},
		{"may be missing, but is out of reach", map[string]string{"file": ""}, []string{"-c", "-file/none.toml", "app"}, nil, exitConfig, "configuration file of --config: stat file/none.toml: not a directory"},
		{"misspelt", map[string]string{"indrik.toml": "\nwrokers = 1\n"}, []string{"app"}, nil, exitConfig, `indrik.toml:2:1: no setting is called "wrokers"; did you mean workers?`},
		{"bad value", map[string]string{"indrik.toml": "workers = 'x'\n"}, []string{"app"}, nil, exitConfig, `setting workers: indrik.toml:1: workers is "x": not a whole number`},
		{"unknown argument", nil, []string{"app"}, []string{"GUNICORN_CMD_ARGS=--wrokers 3"}, exitUsage, "GUNICORN_CMD_ARGS: unknown option --wrokers; did you mean --workers?"},
		{"application in arguments", nil, []string{"app"}, []string{"GUNICORN_CMD_ARGS=other:app"}, exitConfig, `GUNICORN_CMD_ARGS: "other:app" is no option`},
		{"open quote in arguments", nil, []string{"app"}, []string{`GUNICORN_CMD_ARGS="`}, exitConfig, "GUNICORN_CMD_ARGS: "},
		{"bad argument", nil, []string{"app"}, []string{"GUNICORN_CMD_ARGS=-w x"}, exitConfig, `setting workers: GUNICORN_CMD_ARGS --workers is "x"`},
		{"no application", map[string]string{"indrik.toml": "workers = 1\n"}, nil, nil, exitUsage, "no application given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := inDirectory(t, c.files, c.args...)
			tr.env = append(tr.env, c.env...)
			status, _, stderr := tr.run()
			if status != c.status || !strings.HasPrefix(stderr, "indrik: "+c.want) || len(tr.roles) > 0 {
				t.Errorf("status %d, roles %v:\n got %swant %s", status, tr.roles, stderr, c.want)
			}
		})
	}
}

// None of Gunicorn's settings is ignored without a word.
func TestSettingWithoutEffectIsTold(t *testing.T) {
	tr := inDirectory(t, nil, "--daemon", "--http-parser", "auto", "app")
	status, _, stderr := tr.run()
	if status != exitOK || strings.Count(stderr, "setting has no effect") != 1 ||
		!strings.Contains(stderr, "setting=daemon from=--daemon instead=\"Indrik stays in the foreground") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestPrintConfig(t *testing.T) {
	tr := inDirectory(t, map[string]string{"indrik.toml": "bind = ['unix:/a b', ':80']\n"}, "--print-config", "-w", "3", "app")
	status, stdout, stderr := tr.run()
	if status != exitOK {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{
		"workers                            = 3  # --workers\n",
		"bind                               = 'unix:/a b' :80  # indrik.toml:1: bind\n",
		"keepalive                          = 60  # default\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no line %q in\n%s", want, stdout)
		}
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != len(settings.All()) || !slices.IsSorted(lines) {
		t.Errorf("%d lines for %d settings, or not in order", len(lines), len(settings.All()))
	}
}

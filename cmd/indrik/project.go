package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/indrik/indrik/settings"
)

// projectApp is the application of a project's directory, for when none is named, or
// "" if it is not plain: the WSGI module of a Django project (manage.py), else
// wsgi.py or app.py with `application` or `app` at its top level. env looks up
// DJANGO_SETTINGS_MODULE.
func projectApp(dir string, env func(string) string) string {
	if text, err := os.ReadFile(filepath.Join(dir, "manage.py")); err == nil {
		if app := djangoApp(dir, string(text), env("DJANGO_SETTINGS_MODULE")); app != "" {
			return app
		}
	}
	for _, module := range []string{"wsgi", "app"} {
		text, err := os.ReadFile(filepath.Join(dir, module+".py"))
		if err != nil {
			continue
		}
		for _, name := range []string{"application", "app"} {
			if regexp.MustCompile(`(?m)^(` + name + `\s*[:=]|(async )?def ` + name + `\(|from .* import .*\b` + name + `\b)`).Match(text) {
				return module + ":" + name
			}
		}
	}
	return ""
}

// djangoApp is the module wsgi beside the settings that manage.py, or the
// environment, names.
func djangoApp(dir, manage, module string) string {
	if module == "" {
		found := regexp.MustCompile(`DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']`).FindStringSubmatch(manage)
		if found == nil {
			return ""
		}
		module = found[1]
	}
	// settings may be a module or, with production.py and others in it, a package.
	for parts := strings.Split(module, "."); len(parts) > 1; {
		parts = parts[:len(parts)-1]
		if _, err := os.Stat(filepath.Join(dir, filepath.Join(parts...), "wsgi.py")); err == nil {
			return strings.Join(parts, ".") + ".wsgi"
		}
	}
	return ""
}

// isDirectory reports that the argument is a directory and no application.
func isDirectory(args []string) bool {
	return len(args) == 1 && (args[0] == "." || strings.HasSuffix(args[0], "/"))
}

// project is what the directory says: of an argument that is one, as in `indrik .`,
// that it is the working directory, and where no application is named, which there
// is. That is the weakest of all sources, so wsgi_app of a file wins.
func project(p process, args []string, layers []settings.Layer) (rest []string, more []settings.Layer) {
	dir, _ := settings.Strongest("chdir", layers...)
	if isDirectory(args) {
		args, dir = nil, settings.Item{Name: "chdir", Texts: args, Origin: "the directory " + args[0]}
		more = append(more, settings.Layer{Source: settings.CommandLine, Items: []settings.Item{dir}})
	}
	if len(args) > 0 {
		return args, nil
	}
	place := dir.Text()
	if place == "" {
		place = "."
	}
	if app := projectApp(p.path(place), p.getenv); app != "" {
		found := settings.Item{Name: "wsgi_app", Texts: []string{app}, Origin: "the directory " + place}
		more = append(more, settings.Layer{Source: settings.Platform, Items: []settings.Item{found}})
	}
	return nil, more
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/pflag"

	"github.com/indrik/indrik/settings"
)

// The configuration files that are read without being named, the first that
// exists. Both are looked for in the directory where the program was started,
// whatever --chdir says, as Gunicorn does.
const (
	standardTOML   = "indrik.toml"
	standardScript = "gunicorn.conf.py"
)

// argumentsVariable holds options as on the command line.
const argumentsVariable = "GUNICORN_CMD_ARGS"

// said is what every source says about the settings. A configuration file in
// Python is only named here: the mold runs it.
type said struct {
	layers []settings.Layer
	script string // path, or python:MODULE; "" if there is none
}

// gather asks every source that can be read here.
func gather(p process, options settings.Layer) (said, error) {
	arguments, err := fromArguments(p.getenv(argumentsVariable))
	if err != nil {
		return said{}, err
	}
	s := said{layers: append(slices.Clone(p.usual),
		settings.FromPlatform(p.getenv), arguments, settings.FromEnvironment(p.getenv), options)}
	file, err := configFile(p, s.layers)
	if err != nil || file == "" {
		return s, err
	}
	return s, s.read(p, file)
}

// fromArguments reads the options in GUNICORN_CMD_ARGS.
func fromArguments(text string) (settings.Layer, error) {
	layer := settings.Layer{Source: settings.Arguments}
	words, err := shellquote.Split(text)
	if err != nil {
		return layer, fmt.Errorf("%s: %w; write it as words of a shell", argumentsVariable, err)
	}
	options := newFlags()
	set := pflag.NewFlagSet(argumentsVariable, pflag.ContinueOnError)
	set.Usage = func() {}
	options.add(set)
	if err := set.Parse(words); err != nil {
		return layer, fmt.Errorf("%s: %w", argumentsVariable, explain(set, err))
	}
	if set.NArg() > 0 {
		return layer, fmt.Errorf("%s: %q is no option; name the application on the command line", argumentsVariable, set.Arg(0))
	}
	layer.Items = options.layer().Items
	for i := range layer.Items {
		layer.Items[i].Origin = argumentsVariable + " " + layer.Items[i].Origin
	}
	return layer, nil
}

// configFile is the file that the strongest source names, or the one that lies
// in the current directory, or "". The prefix file: is taken off, and so is a
// minus: such a file may be missing, and then it was never named. It is what
// units say for EnvironmentFile= and lets one unit serve both kinds of instance.
func configFile(p process, layers []settings.Layer) (string, error) {
	if item, source := settings.Strongest("config", layers...); source != settings.Default {
		named, optional := strings.CutPrefix(item.Text(), "-")
		path := strings.TrimPrefix(named, "file:")
		if strings.HasPrefix(named, "python:") || path == "" {
			return path, nil
		}
		_, err := os.Stat(p.path(strings.TrimPrefix(path, tomlPrefix)))
		switch {
		case err == nil:
			return path, nil
		case !optional || !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("configuration file of %s: %w", item.Origin, err)
		}
	}
	var found []string
	for _, name := range []string{standardTOML, standardScript} {
		_, err := os.Stat(p.path(name))
		if err == nil {
			found = append(found, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for a configuration file: %w", err)
		}
	}
	if len(found) > 1 {
		return "", fmt.Errorf("both %s are here; name the one to use with --config", strings.Join(found, " and "))
	}
	return strings.Join(found, ""), nil
}

// printConfig writes every setting with its value and where that came from, in
// the order of names.
func printConfig(to *os.File, values *settings.Values) error {
	var b strings.Builder
	names := settings.Names()
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%-34s = %s  # %s\n", name, values.Text(name), values.Origin(name))
	}
	_, err := to.WriteString(b.String())
	return err
}

// checkApp wants an application: on the command line, in the setting wsgi_app, or in
// a PasteDeploy file.
// Whether there is one of that name only Python can tell.
func checkApp(args []string, values *settings.Values) error {
	app := values.WSGIApp()
	if len(args) > 0 {
		app = args[0]
	}
	switch {
	case values.Paste() != "":
		return nil // the file names it
	case app == "" && len(args) == 0:
		return usagef("no application given; name it as MODULE:APP, like indrik hello:app")
	case strings.TrimSpace(app) == "" || strings.HasPrefix(app, ":"):
		return usagef("application %q names no module; name it as MODULE:APP, like indrik hello:app", app)
	}
	return nil
}

// absolute makes a path that was given relative to the current directory good
// for later, when the directory may be another.
func absolute(p process, path string) string {
	if strings.HasPrefix(path, "python:") {
		return path
	}
	whole, err := filepath.Abs(p.path(path))
	if err != nil {
		return path // no current directory: what follows will say so
	}
	return whole
}

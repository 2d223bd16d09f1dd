package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/settings"
	"github.com/indrik/indrik/unitfiles"
)

// hidden are directories that the service does not see, or sees others of: what the
// template says with ProtectHome= and PrivateTmp=.
var hidden = []string{"/home", "/root", "/run/user", "/tmp", "/var/tmp"}

// configuration is the text of the file that is to be written, without its first
// line, and what its [unit] table says. It is judged as when serving.
func (s *setup) configuration(ctx context.Context, scope unitfiles.Scope, file string) (*unitfiles.Instance, []byte, error) {
	layer, bind := s.layerOf()
	table, err := s.table(ctx, scope, bind)
	if err != nil {
		return nil, nil, err
	}
	if python := s.environment(table.Directory); python != "" {
		layer.Items = append(layer.Items, settings.Item{Name: "python", Texts: []string{python}, Origin: python})
	}
	values, err := judge(layer)
	if err == nil {
		err = checkApp(nil, values)
	}
	if err == nil {
		err = s.checkPython(scope, layer)
	}
	if err != nil {
		return nil, nil, err
	}
	unit, err := table.Text()
	if err != nil {
		return nil, nil, err
	}
	text := []byte(settings.TOML(layer, nil) + "\n# For systemctl, which starts and enables it; docs/systemd.md has the other keys.\n" + unit)
	if _, err := settings.FromTOML(file, text); err != nil {
		return nil, nil, err
	}
	instance, err := unitfiles.Parse(file, text, scope)
	return instance, text, err
}

// table is the [unit] table. Its start is nobody's business but systemctl's: the
// units are enabled.
func (s *setup) table(ctx context.Context, scope unitfiles.Scope, bind []string) (unitfiles.Table, error) {
	table := unitfiles.Table{Start: unitfiles.ByHand, User: s.user}
	for _, text := range bind {
		address, err := listenOf(text)
		if err != nil {
			return table, err
		}
		table.Listen = append(table.Listen, address)
	}
	if s.user != "" && scope == unitfiles.User {
		return table, usagef("--user is for the system's manager: with --user-manager the application runs as you")
	}
	dir := s.dir
	if dir == "" && scope == unitfiles.System {
		dir = filepath.Join("/srv", s.name)
	}
	if dir != "" {
		if err := s.checkDir(scope, dir); err != nil {
			return table, err
		}
		table.Directory = absolute(s.p, dir)
	}
	return table, s.checkUser(ctx)
}

// listenOf is an address of --bind in the spelling of ListenStream=.
func listenOf(text string) (string, error) {
	b, err := activation.ParseBind(text)
	switch {
	case err != nil:
		return "", usagef("--bind: %v", err)
	case b.Network == "unix":
		return b.Path, nil
	case b.Network == "tcp":
		return b.String(), nil // a host name is refused with the rest of [unit]
	}
	return "", usagef("--bind %s: systemd opens the sockets of a hosted application; give an address or unix:PATH", text)
}

func (s *setup) checkDir(scope unitfiles.Scope, dir string) error {
	info, err := os.Stat(s.p.path(dir))
	switch {
	case err != nil && s.dir == "":
		return usagef("there is no %s; name the application's directory with --dir", dir)
	case err != nil:
		return usagef("--dir: %v", err)
	case !info.IsDir():
		return usagef("--dir: %s is no directory", dir)
	}
	return s.seen(scope, "--dir", dir)
}

// seen refuses paths that the system's service cannot see, followed to their end.
func (s *setup) seen(scope unitfiles.Scope, what, path string) error {
	if scope == unitfiles.User {
		return nil
	}
	path = absolute(s.p, path)
	paths := []string{path}
	if end, err := filepath.EvalSymlinks(path); err == nil {
		paths = append(paths, end)
	}
	for _, p := range paths {
		for _, dir := range hidden {
			if p == dir || strings.HasPrefix(p, dir+"/") {
				return fmt.Errorf("%s: the service cannot see %s, because %s is hidden from it; move it below /srv or /opt, or use --user-manager", what, p, dir)
			}
		}
	}
	return nil
}

// environment is the interpreter of the virtual environment in the application's
// directory, if no other was given.
func (s *setup) environment(dir string) string {
	for _, item := range s.options.layer().Items {
		if item.Name == "python" {
			return ""
		}
	}
	for _, venv := range []string{".venv", "venv"} {
		python := filepath.Join(dir, venv, "bin", "python")
		if dir != "" && executable(python) == nil {
			return python
		}
	}
	return ""
}

// checkPython looks at the interpreter that the service will run, where it was named.
func (s *setup) checkPython(scope unitfiles.Scope, layer settings.Layer) error {
	item, source := settings.Strongest("python", layer)
	if source == settings.Default || item.Text() == "" {
		return nil
	}
	if _, err := findExecutable(item.Text(), s.p.getenv("PATH")); err != nil {
		return usagef("%s: %v; give the path of an interpreter", item.Origin, err)
	}
	if !strings.Contains(item.Text(), "/") {
		return nil
	}
	return s.seen(scope, "the interpreter", item.Text())
}

// checkUser asks for a user where systemd will: in all sources of names, of which this
// binary knows only one (it is static).
func (s *setup) checkUser(ctx context.Context) error {
	if s.user == "" {
		return nil
	}
	getent, err := findExecutable("getent", s.p.getenv("PATH"))
	if err != nil {
		return nil // the start will tell
	}
	err = exec.CommandContext(ctx, getent, "passwd", "--", s.user).Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 2 {
		return usagef("--user: there is no user %q; make it (useradd --system %s), or leave --user out: systemd makes one", s.user, s.user)
	}
	return nil
}

// writable is nil if this process may make files in a directory.
func writable(dir string) error {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

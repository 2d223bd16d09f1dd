package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/indrik/indrik/hosting"
	"github.com/indrik/indrik/settings"
	"github.com/indrik/indrik/unitfiles"
)

// notInSetup are settings that a hosted application gets from elsewhere: from its
// units, or from the file that setup writes.
var notInSetup = []string{"check_config", "config", "daemon", "group", "pidfile", "print_config", "user"}

// setup is what the command line of `indrik setup` said.
type setup struct {
	p       process
	options flags // settings, as when serving

	name, app, dir, user  string
	boot, noStart         bool
	force, dryRun, byUser bool
}

// newSetup makes the command that hosts an application:
//
//	indrik setup NAME --app MODULE:APP [--dir DIR] [--user USER] [--boot] [--no-start]
//	             [--force] [--dry-run] [--user-manager] [OPTIONS]
//
// Options are those of serving and go into the file, but for --bind, which becomes
// the address of the socket unit.
func newSetup(p process) *cobra.Command {
	s := setup{p: p, options: newFlags()}
	s.options = slices.DeleteFunc(s.options, func(f *flagText) bool { return slices.Contains(notInSetup, f.setting.Name) })
	command := &cobra.Command{
		Use: "setup NAME", Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.name = args[0]
			if len(args) > 1 {
				if s.app != "" {
					return usagef("the application is given twice, as %s and by --app; give one", args[1])
				}
				s.app = args[1]
			}
			return s.run(cmd.Context())
		},
	}
	s.options.add(command.Flags())
	f := command.Flags()
	f.StringVar(&s.app, "app", "", "serve this application")
	f.StringVar(&s.dir, "dir", "", "run it there")
	f.StringVarP(&s.user, "user", "u", "", "run it as this user")
	f.BoolVar(&s.boot, "boot", false, "start the service too, now and at boot")
	f.BoolVar(&s.noStart, "no-start", false, "enable only")
	f.BoolVar(&s.force, "force", false, "overwrite a configuration")
	addHosting(f, &s.dryRun, &s.byUser)
	command.SetFlagErrorFunc(flagError)
	command.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, _ = io.WriteString(cmd.OutOrStdout(), setupUsage) })
	return command
}

// setupUsage is what indrik setup --help and indrik remove --help print.
const setupUsage = `Usage: indrik setup NAME --app MODULE:APP [OPTIONS]
       indrik remove NAME [OPTIONS]

Host an application under systemd: check the options, write /etc/indrik/NAME.toml,
enable indrik@NAME.socket and start it. The first connection starts the service.
What fails is taken back. remove undoes it, and leaves what the application keeps
in /var/lib/indrik/NAME.

Of setup:
      --app MODULE:APP        Serve this application
      --dir DIR               Run it in this directory [default: /srv/NAME]
  -u, --user USER             Run it as this user [default: one made by systemd
                              for this application alone]
  -b, --bind ADDRESS          Have systemd listen on HOST:PORT or unix:PATH; may be
                              repeated [default: unix:/run/indrik/NAME.sock]
      --boot                  Start the service too, now and with the machine
      --no-start              Enable, and start nothing now
      --force                 Overwrite a configuration
      ...                     All options of indrik --help go into the file. Without
                              --python it is that of .venv or venv in DIR, if any

Of remove:
      --keep-config           Leave the file
      --force                 Delete a file that setup did not write

Of both:
      --dry-run               Print files and calls of systemd, and do nothing
      --user-manager          For systemctl --user: ~/.config/indrik/NAME.toml
`

// addHosting adds the options that setup and remove share.
func addHosting(f *pflag.FlagSet, dryRun, byUser *bool) {
	f.BoolVar(dryRun, "dry-run", false, "print what would be done")
	f.BoolVar(byUser, "user-manager", false, "for systemctl --user")
}

func (s *setup) run(ctx context.Context) error {
	scope := scopeOf(s.byUser)
	site, err := siteOf(s.p, scope, s.name)
	if err != nil {
		return err
	}
	instance, text, err := s.configuration(ctx, scope, site.File)
	if err != nil {
		return err
	}
	site.Text, site.Boot, site.Idle, site.Replace = text, s.boot, s.noStart, s.force
	if err := s.free(site); err != nil {
		return err
	}
	if s.dryRun {
		return s.show(site, instance)
	}
	if err := mayWrite(scope, "setup", site.File); err != nil {
		return err
	}
	ran := false
	err = withSystemd(ctx, s.p, scope, func(m hosting.Manager) (err error) {
		ran, err = hosting.Setup(ctx, m, site, s.tell)
		return remedied(err, "setup", s.name)
	})
	if err != nil {
		return err
	}
	s.done(site, instance, scope, ran)
	return nil
}

// free refuses a name that is taken.
func (s *setup) free(site hosting.Site) error {
	if s.force {
		return nil
	}
	for _, file := range []string{site.File, strings.TrimSuffix(site.File, ".toml") + ".env"} {
		if _, err := os.Lstat(file); err == nil {
			return fmt.Errorf("%s: %w; choose another name, `indrik remove %s` first, or overwrite with --force", file, hosting.ErrExists, s.name)
		}
	}
	return nil
}

// show prints what would be done: steps, the file, and what systemd's generator will
// make of it.
func (s *setup) show(site hosting.Site, instance *unitfiles.Instance) error {
	var b strings.Builder
	b.WriteString("nothing is done; it would be:\n")
	for n, text := range site.Steps() {
		b.WriteString(text + "\n")
		if n > 0 {
			continue
		}
		b.WriteString(indented(hosting.Mark + string(site.Text)))
		b.WriteString("from which the generator will make:\n")
		for _, f := range instance.Files() {
			b.WriteString("  " + f.Path + "\n" + indented(f.Text))
		}
	}
	_, err := io.WriteString(s.p.stdout, b.String())
	return err
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

// tell prints a step. If stdout cannot be written the step is done nevertheless.
func (s *setup) tell(text string) { _, _ = fmt.Fprintln(s.p.stdout, text) }

// done says how to reach what was set up.
func (s *setup) done(site hosting.Site, instance *unitfiles.Instance, scope unitfiles.Scope, ran bool) {
	control, socket := "systemctl", "/run/indrik/"+s.name+".sock"
	if scope == unitfiles.User {
		control, socket = "systemctl --user", s.p.getenv("XDG_RUNTIME_DIR")+"/indrik/"+s.name+".sock"
	}
	addresses := instance.Listen()
	if len(addresses) == 0 {
		addresses = []string{socket}
	}
	switch {
	case ran:
		s.tell(fmt.Sprintf("%s runs with what it was started with; to change over: %s restart %s %s", s.name, control, site.Socket(), site.Service()))
	case s.noStart:
		s.tell(fmt.Sprintf("%s starts with the machine; now: %s start %s", s.name, control, site.Socket()))
	default:
		s.tell(fmt.Sprintf("%s answers at %s", s.name, strings.Join(addresses, ", ")))
	}
}

// siteOf is the site of a name, without text.
func siteOf(p process, scope unitfiles.Scope, name string) (hosting.Site, error) {
	dir, err := filesOf(p, scope)
	if err != nil {
		return hosting.Site{}, err
	}
	if err := unitfiles.CheckName(name); err != nil {
		return hosting.Site{}, usagef("%v", err)
	}
	return hosting.Site{Name: name, File: filepath.Join(dir, name+".toml"), Caches: cachesOf(p, scope, name)}, nil
}

// cachesOf are the directories that CacheDirectory= of the unit stands for (systemd.exec(5)).
func cachesOf(p process, scope unitfiles.Scope, name string) []string {
	if scope == unitfiles.System { // a link, if the service has a dynamic user
		return []string{filepath.Join("/var/cache/indrik", name), filepath.Join("/var/cache/private/indrik", name)}
	}
	if home := p.getenv("XDG_CACHE_HOME"); filepath.IsAbs(home) {
		return []string{filepath.Join(home, "indrik", name)}
	}
	if home := p.getenv("HOME"); filepath.IsAbs(home) {
		return []string{filepath.Join(home, ".cache/indrik", name)}
	}
	return nil
}

func scopeOf(byUser bool) unitfiles.Scope {
	if byUser {
		return unitfiles.User
	}
	return unitfiles.System
}

// withSystemd calls with the manager of a scope.
func withSystemd(ctx context.Context, p process, scope unitfiles.Scope, call func(hosting.Manager) error) error {
	uid := os.Geteuid()
	connect := func() (*hosting.Systemd, error) { return hosting.Connect(ctx, uid) }
	if scope == unitfiles.User {
		runtime := p.getenv("XDG_RUNTIME_DIR")
		if !filepath.IsAbs(runtime) {
			return fmt.Errorf("XDG_RUNTIME_DIR is not set, where your own systemd listens; log in as this user, or set it to /run/user/%d", uid)
		}
		connect = func() (*hosting.Systemd, error) { return hosting.ConnectUser(ctx, runtime, uid) }
	}
	systemd, err := connect()
	if err != nil {
		return err
	}
	defer systemd.Close()
	return call(systemd)
}

// mayWrite refuses users who cannot write where the file lies, before anything is asked
// of systemd.
func mayWrite(scope unitfiles.Scope, verb, file string) error {
	at := filepath.Dir(file)
	for ; at != "/"; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
	}
	if err := writable(at); err != nil {
		remedy := "run it as root: sudo indrik " + verb + " …; or with --user-manager, for an application of your own"
		if scope == unitfiles.User || os.Geteuid() == 0 {
			remedy = "make that writable"
		}
		return fmt.Errorf("user %d cannot write to %s (%w); %s", os.Geteuid(), at, err, remedy)
	}
	return nil
}

// remedied adds to a refusal what to do about it.
func remedied(err error, verb, name string) error {
	var refused *hosting.RefusedError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%w; run it as root: sudo indrik %s %s …; or have polkit grant org.freedesktop.systemd1.manage-units, manage-unit-files and reload-daemon to this user", err, verb, name)
	case errors.Is(err, hosting.ErrExists):
		return fmt.Errorf("%w; overwrite it with --force", err)
	}
	return err
}

// layerOf are the settings that go into the file: what was given, but for sockets,
// and with paths that hold wherever the service starts.
func (s *setup) layerOf() (layer settings.Layer, bind []string) {
	for _, item := range s.options.layer().Items {
		switch {
		case item.Name == "bind":
			bind = append(bind, item.Texts...)
			continue
		case item.Name == "python" && strings.Contains(item.Text(), "/"):
			item.Texts = []string{absolute(s.p, item.Text())}
		}
		layer.Items = append(layer.Items, item)
	}
	layer.Source = settings.CommandLine
	if s.app != "" {
		layer.Items = append(layer.Items, settings.Item{Name: "wsgi_app", Texts: []string{s.app}, Origin: "--app"})
	}
	return layer, bind
}

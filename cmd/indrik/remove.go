package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/hosting"
	"github.com/indrik/indrik/unitfiles"
)

// newRemove makes the command that takes back what setup did:
//
//	indrik remove NAME [--keep-config] [--force] [--dry-run] [--user-manager]
func newRemove(p process) *cobra.Command {
	var keep, force, dryRun, byUser bool
	command := &cobra.Command{
		Use: "remove NAME", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			site, err := siteOf(p, scopeOf(byUser), args[0])
			if err != nil {
				return err
			}
			site.Keep, site.Replace = keep, force
			return removeSite(cmd.Context(), p, scopeOf(byUser), site, dryRun)
		},
	}
	f := command.Flags()
	f.BoolVar(&keep, "keep-config", false, "leave the configuration")
	f.BoolVar(&force, "force", false, "delete a configuration that setup did not write")
	addHosting(f, &dryRun, &byUser)
	command.SetFlagErrorFunc(flagError)
	command.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, _ = io.WriteString(cmd.OutOrStdout(), setupUsage) })
	return command
}

func removeSite(ctx context.Context, p process, scope unitfiles.Scope, site hosting.Site, dryRun bool) error {
	tell := func(text string) { _, _ = fmt.Fprintln(p.stdout, text) }
	if err := staysAway(site, scope); err != nil {
		return err
	}
	if dryRun {
		if err := site.Removable(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explained(err)
		}
		tell("nothing is done; it would be:\n" + strings.Join(site.RemovalSteps(), "\n"))
		return nil
	}
	if err := mayWrite(scope, "remove", site.File); err != nil {
		return err
	}
	err := withSystemd(ctx, p, scope, func(m hosting.Manager) error {
		return remedied(hosting.Remove(ctx, m, site, tell), "remove", site.Name)
	})
	if err != nil {
		return explained(err)
	}
	for _, path := range leftBehind(scope, site) {
		tell("left: " + path)
	}
	return nil
}

// staysAway refuses to keep a file that makes systemd start at once again what is
// stopped.
func staysAway(site hosting.Site, scope unitfiles.Scope) error {
	if !site.Keep {
		return nil
	}
	text, err := os.ReadFile(site.File)
	if err != nil {
		return nil // Remove says what is wrong
	}
	instance, err := unitfiles.Parse(site.File, text, scope)
	if err == nil && instance != nil && instance.Start() != unitfiles.ByHand {
		return fmt.Errorf("%s has systemd start it again: write start = \"no\" in its [unit] table, or leave out --keep-config", site.File)
	}
	return nil
}

func explained(err error) error {
	if errors.Is(err, hosting.ErrNotOurs) {
		return fmt.Errorf("%w; leave it with --keep-config, or delete it with --force", err)
	}
	return err
}

// leftBehind are the paths that setup did not make and that carry the name: what the
// application kept, and what the administrator wrote.
func leftBehind(scope unitfiles.Scope, site hosting.Site) []string {
	paths := []string{strings.TrimSuffix(site.File, ".toml") + ".env"}
	if scope == unitfiles.System {
		paths = append(paths, "/var/lib/private/indrik/"+site.Name,
			"/etc/systemd/system/"+site.Socket()+".d", "/etc/systemd/system/"+site.Service()+".d")
	}
	var left []string
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			left = append(left, path)
		}
	}
	return left
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/indrik/indrik/unitfiles"
	"github.com/spf13/cobra"
)

const (
	// generatorName is a second name of the binary, a link in systemd's directory of
	// generators. Under it the arguments are those of systemd.generator(7).
	generatorName = "indrik-generator"
	// userGeneratorName is the same for users' own managers.
	userGeneratorName = "indrik-user-generator"
	// instanceFiles is where the system's instances are configured.
	instanceFiles = "/etc/indrik"
)

// asGenerator turns the arguments that a generator gets, three directories of
// which the first is for what has no special priority, into our own.
func asGenerator(args []string) []string {
	dir := args[1:min(2, len(args))]
	switch filepath.Base(args[0]) {
	case generatorName:
		return append([]string{args[0], "unit-files"}, dir...)
	case userGeneratorName:
		return append([]string{args[0], "unit-files", "--user-manager"}, dir...)
	}
	return args
}

// filesOf is where the instances of a manager are configured. A user's is what the
// specifier %E of the user's units stands for (systemd.unit(5)).
func filesOf(p process, scope unitfiles.Scope) (string, error) {
	if scope == unitfiles.System {
		return instanceFiles, nil
	}
	if dir := p.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "indrik"), nil
	}
	if home := p.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "indrik"), nil
	}
	return "", errors.New("neither XDG_CONFIG_HOME nor HOME names a directory: set HOME")
}

// newUnitFiles makes the command that writes drop-ins of units for each file of
// instanceFiles, or of the user's, with a [unit] table. Without a directory it
// prints them:
//
//	indrik unit-files [--user-manager] [--from DIR] [DIR]
func newUnitFiles(p process) *cobra.Command {
	command := &cobra.Command{Use: "unit-files", Hidden: true, Args: cobra.MaximumNArgs(1)}
	from := command.Flags().String("from", "", "")
	user := command.Flags().Bool("user-manager", false, "")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		scope := unitfiles.System
		if *user {
			scope = unitfiles.User
		}
		if *from == "" {
			var err error
			if *from, err = filesOf(p, scope); err != nil {
				return err
			}
		}
		if len(args) == 0 {
			return generate(*from, scope, func(f unitfiles.File) error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "==> %s <==\n%s", f.Path, f.Text)
				return err
			})
		}
		err := generate(*from, scope, func(f unitfiles.File) error { return writeUnit(filepath.Join(args[0], f.Path), f.Text) })
		if err != nil && filepath.Base(p.args[0]) == generatorName {
			tellKernel(err)
		}
		return err
	}
	return command
}

// generate makes the units of every instance. A file that cannot be read or
// understood keeps no other from having its units; all errors are returned.
func generate(from string, scope unitfiles.Scope, write func(unitfiles.File) error) error {
	sources, err := filepath.Glob(filepath.Join(from, "*.toml")) // sorted; none if there is no directory
	if err != nil {
		return fmt.Errorf("look for instances in %s: %w", from, err)
	}
	var errs []error
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			errs = append(errs, fmt.Errorf("read an instance: %w", err))
			continue
		}
		instance, err := unitfiles.Parse(source, text, scope)
		if err != nil {
			errs = append(errs, err)
		}
		if instance == nil {
			continue
		}
		for _, f := range instance.Files() {
			if err := write(f); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func writeUnit(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write units: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write units: %w", err)
	}
	return nil
}

// tellKernel writes an error where systemd.generator(7) says: generators run
// before there is a journal to write to, and their stderr leads nowhere.
func tellKernel(err error) {
	kmsg, openErr := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if openErr != nil {
		return // a container has none
	}
	defer kmsg.Close()
	for _, line := range lines(err) {
		_, _ = io.WriteString(kmsg, "<3>"+generatorName+": "+line) // one record for each write
	}
}

// lines are the texts of the errors that were joined.
func lines(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, lines(e)...)
	}
	return texts
}

package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/master"
)

// newPreflight makes the command by which a master asks the binary on disk whether that
// could go on in its place:
//
//	INDRIK_PREFLIGHT=FD indrik preflight VERSION ARGUMENTS...
//
// VERSION is that of the master's state and the arguments are the master's own. The
// answer goes to the descriptor, what people can read to standard error.
func newPreflight(p process) *cobra.Command {
	flags := newFlags()
	command := &cobra.Command{
		Use:    "preflight VERSION ARGUMENTS...",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			channel, err := strconv.Atoi(p.getenv(master.PreflightVariable))
			if err != nil || channel < 3 {
				return usagef("a preflight is started by the master, never by hand (%s is not in the environment); "+
					"to check a configuration, use --check-config", master.PreflightVariable)
			}
			p, args := asDev(p, args[1:])
			options := flags.layer()
			p.env = without(p.env, master.PreflightVariable)
			cfg := newConfig(p, newLog(newOutput(p.stderr, false, p.pid), "warning"))
			if !isDirectory(args) {
				cfg.App = strings.Join(args, "")
			}
			cfg.Read = func() (master.Reading, error) {
				if err := checkArgs(cmd, args); err != nil {
					return master.Reading{}, err
				}
				return look(p, args, options, resolve)
			}
			return p.preflight(cmd.Context(), cfg, channel)
		},
	}
	flags.add(command.Flags())
	command.SetFlagErrorFunc(flagError)
	return command
}

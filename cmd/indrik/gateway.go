package main

import (
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/settings"
	"github.com/spf13/cobra"
)

const (
	// gatewayEnv is set to 1 by the master in the environment of a gateway. It
	// tells one from a person who wants to serve a module called gateway.
	gatewayEnv = "INDRIK_GATEWAY"
	// channelFD is where the master puts the gateway's channel
	// (docs/protocol.md).
	channelFD = 3
)

// newGateway makes the command that the master starts its gateway with:
//
//	INDRIK_GATEWAY=1 indrik gateway --log-level LEVEL [--error-logfile FILE] [--log-syslog …]
func newGateway(p process) *cobra.Command {
	flags := newFlags("loglevel", "errorlog", "syslog", "syslog_addr", "syslog_prefix", "syslog_facility")
	byHand := func() error {
		if p.getenv(gatewayEnv) == "1" {
			return nil
		}
		return usagef("the gateway is started by the master, never by hand (%s=1 is not in the environment); "+
			"to serve a module of that name, write gateway:application", gatewayEnv)
	}
	command := &cobra.Command{
		Use:    "gateway",
		Hidden: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := byHand(); err != nil {
				return err
			}
			if len(args) > 0 {
				return usagef("the gateway takes no arguments, got %q; the master tells it everything on its channel", args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			values, err := settings.Resolve(flags.layer())
			if err != nil {
				return err
			}
			out := newOutput(p.stderr, underJournal(p.stderr, p.getenv), p.pid)
			out.colours = p.colours(p.stderr)
			defer out.Close()
			log := newLog(out, values.LogLevel())
			if err := out.Open(values, values.SyslogPrefix()); err != nil {
				log.Error("logging to standard error", "error", err) // better than no service
			}
			ctx, stop := gatewaySignals(cmd.Context())
			defer stop()
			return p.gateway(ctx, gateway.Process{
				ChannelFD: channelFD,
				Stdout:    p.stdout,
				Log:       log,
				Reopen:    out.Reopen,
				Counts:    out.counts,
			})
		},
	}
	flags.add(command.Flags())
	command.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// Options of the master in front of a module called gateway land here.
		if hand := byHand(); hand != nil {
			return hand
		}
		return flagError(cmd, err)
	})
	return command
}

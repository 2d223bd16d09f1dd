package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/top"
)

// shortestLook is the least time between two looks at a service: what it says costs it
// something.
const shortestLook = 100 * time.Millisecond

// topCommand shows a service live:
//
//	indrik top [NAME] [--interval 1s] [--once]
func topCommand(a *asked, c *cobra.Command) {
	once := c.Flags().Bool("once", false, "print one look and end")
	interval := c.Flags().Duration("interval", time.Second, "time between two looks")
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client(first(args))
		if err != nil {
			return err
		}
		if *interval < shortestLook {
			return usagef("indrik top: --interval %v is too short; write %v or more", *interval, shortestLook)
		}
		ctx, changes, stop := terminalSignals(c.Context())
		defer stop()
		if *once || a.json {
			v, err := top.Look(ctx, client, *interval)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			if err != nil {
				return err
			}
			return a.show(v, func() string { return top.Print(v, a.colours(a.stdout)) })
		}
		if !top.IsTerminal(os.Stdin) || !top.IsTerminal(a.stdout) || a.getenv("TERM") == "dumb" {
			return usagef("indrik top needs a terminal; use --once here, or indrik status")
		}
		return top.Run(ctx, top.Config{
			Client: client, In: os.Stdin, Out: a.stdout, Signals: changes, Interval: *interval, Colours: a.colours(a.stdout),
		})
	}
}

// colours reports that a file is a terminal of somebody who wants colours
// (https://no-color.org).
func (p process) colours(f *os.File) bool {
	return p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb" && top.IsTerminal(f)
}

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/control"
)

func workersCommand(a *asked, c *cobra.Command) {
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		return get(c.Context(), a, first(args), "workers", func(all []control.Worker) string { return workerTable(all) })
	}
}

func requestsCommand(a *asked, c *cobra.Command) {
	limit := c.Flags().Int("limit", 100, "how many at most, the oldest")
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		path := "requests?limit=" + strconv.Itoa(*limit)
		return get(c.Context(), a, first(args), path, func(all []control.Request) string { return requestTable(all, *limit) })
	}
}

func eventsCommand(a *asked, c *cobra.Command) {
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		return get(c.Context(), a, first(args), "events", eventTable)
	}
}

func scaleCommand(a *asked, c *cobra.Command) {
	by := c.Flags().String("by", "", "what scaleArgs made of -N")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *by != "" {
			args = append(args, *by)
		}
		name, text, err := nameAnd(args, "N, +N or -N")
		if err != nil {
			return err
		}
		amount, err := control.ParseAmount(text)
		if err != nil {
			return usagef("%v", err)
		}
		wish := map[string]control.Amount{"workers": amount}
		return post(c.Context(), a, name, "scale", wish, func(s control.Scaled) string {
			return fmt.Sprintf("workers: %d, before %d\n", s.To, s.From)
		})
	}
}

func recycleCommand(a *asked, c *cobra.Command) {
	c.RunE = func(c *cobra.Command, args []string) error {
		name, which, err := nameAnd(args, "SLOT or all")
		if err != nil {
			return err
		}
		wish := map[string]any{"all": true}
		if which != "all" {
			slot, err := strconv.ParseUint(which, 10, 16)
			if err != nil {
				return usagef("slot %q: write its number, or all", which)
			}
			wish = map[string]any{"slot": slot}
		}
		return post(c.Context(), a, name, "recycle", wish, func(r control.Recycled) string {
			return fmt.Sprintf("recycling %d, one after the other\n", len(r.Slots))
		})
	}
}

func stacksCommand(a *asked, c *cobra.Command) {
	slot := c.Flags().Int("slot", -1, "only the worker of this slot")
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		path := "stacks"
		if *slot >= 0 {
			path += "?slot=" + strconv.Itoa(*slot)
		}
		return get(c.Context(), a, first(args), path, stackText)
	}
}

func logLevelCommand(a *asked, c *cobra.Command) {
	seconds := c.Flags().Float64("for", 0, "seconds after which the configured level counts again")
	c.RunE = func(c *cobra.Command, args []string) error {
		name, level, err := nameAnd(args, "LEVEL")
		if err != nil {
			return err
		}
		return post(c.Context(), a, name, "log-level", control.Level{Level: level, Seconds: *seconds}, func(l control.Level) string {
			if l.Seconds > 0 {
				return fmt.Sprintf("log level: %s for %v\n", l.Level, time.Duration(l.Seconds*float64(time.Second)))
			}
			return fmt.Sprintf("log level: %s\n", l.Level)
		})
	}
}

func reloadCommand(a *asked, c *cobra.Command) { bringIn(a, c, "reload") }

func rollbackCommand(a *asked, c *cobra.Command) { bringIn(a, c, "rollback") }

// bringIn makes a command that has another generation serve, and knows the outcome.
func bringIn(a *asked, c *cobra.Command, verb string) {
	wait := c.Flags().Bool("wait", true, "wait for the outcome")
	limit := c.Flags().Duration("timeout", 0, "how long to wait; 0: until it is known")
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		if *limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, *limit)
			defer cancel()
		}
		client, err := a.client(first(args))
		if err != nil {
			return err
		}
		var r control.Reload
		if err := client.Post(ctx, verb, struct{}{}, &r); err != nil {
			return err
		}
		if *wait && !r.Over() {
			if r, err = client.Await(ctx, r.ID, a.progress()); err != nil {
				return fmt.Errorf("%s %d was begun, its outcome is not known: %w", verb, r.ID, err)
			}
		}
		return a.outcome(r)
	}
}

// progress prints how far a reload is, each news once.
func (a *asked) progress() func(control.Reload) {
	last := ""
	return func(r control.Reload) {
		if r.Progress != "" && r.Progress != last && !a.json {
			last = r.Progress
			_, _ = fmt.Fprintln(a.stderr, last) // the outcome is what counts
		}
	}
}

// verb is what a reload is called.
func verb(r control.Reload) string {
	if r.Rollback {
		return "rollback"
	}
	return "reload"
}

// reloadFailed is a reload that was refused. Its reason has been printed.
type reloadFailed struct{ control.Reload }

func (e *reloadFailed) Error() string {
	return fmt.Sprintf("%s %d failed: %s", verb(e.Reload), e.ID, e.Reason)
}

// outcome prints a reload, and is an error if it failed.
func (a *asked) outcome(r control.Reload) error {
	if r.State == control.Failed && !a.json {
		if r.Traceback != "" {
			_, _ = fmt.Fprintln(a.stderr, strings.TrimRight(r.Traceback, "\n")) // the reason follows
		}
		return &reloadFailed{r}
	}
	err := a.show(r, func() string {
		switch r.State {
		case control.Done:
			return fmt.Sprintf("%s %d done in %s: generation %d serves\n", verb(r), r.ID, seconds(r.Seconds), r.Generation)
		case control.Queued:
			return fmt.Sprintf("%s %d waits for its turn\n", verb(r), r.ID)
		}
		return fmt.Sprintf("%s %d begun\n", verb(r), r.ID)
	})
	if err == nil && r.State == control.Failed {
		return &reloadFailed{r}
	}
	return err
}

package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/settings"
)

// developOrigin is where settings of development come from, for those who are told.
const developOrigin = "indrik dev"

// development is what `indrik dev` says of settings, in the order of names. It counts
// more than a configuration file, which is about service, and less than the
// environment and options.
func development() settings.Layer {
	layer := settings.Layer{Source: settings.Arguments}
	for _, said := range [][2]string{
		{"access_log_format", "short"}, {"accesslog", "-"}, {"admin_bind", ""}, {"bind", "127.0.0.1:8000"}, {"capture_output", "false"},
		{"certfile", ""}, {"control_groups", "off"}, {"control_socket", ""}, {"errorlog", "-"}, {"graceful_timeout", "1"}, {"group", ""},
		{"idle_exit", "0"}, {"keyfile", ""}, {"max_requests", "0"}, {"max_workers", "0"}, {"min_workers", "0"}, {"pidfile", ""},
		{"preload_app", "false"}, {"protocol", "http"}, {"proxy_protocol", "off"}, {"ready_workers", "0"}, {"reload", "true"},
		{"shutdown_delay", "0"}, {"statsd_host", ""}, {"syslog", "false"}, {"threads", "4"}, {"timeout", "0"}, {"user", ""}, {"workers", "1"},
	} {
		layer.Items = append(layer.Items, settings.Item{Name: said[0], Texts: []string{said[1]}, Origin: developOrigin})
	}
	return layer
}

// developing is the process in the role of `indrik dev`.
func (p process) developing() process {
	p.develop, p.usual = true, []settings.Layer{development()}
	return p
}

// newDev makes the command that serves an application to whoever writes it:
//
//	indrik dev [OPTIONS] [MODULE[:APP] | DIRECTORY]
func newDev(p process) *cobra.Command {
	flags := newFlags()
	command := &cobra.Command{
		Use:  "dev [OPTIONS] [MODULE[:APP] | DIRECTORY]",
		Args: checkArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return serve(cmd.Context(), p.developing(), args, flags.layer())
		},
	}
	flags.add(command.Flags())
	flags.complete(command)
	command.SetFlagErrorFunc(flagError)
	command.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, _ = fmt.Fprint(cmd.OutOrStdout(), devUsage()) })
	return command
}

// asDev takes the word off arguments that begin with it, for a process that looks at
// those of another.
func asDev(p process, args []string) (process, []string) {
	if len(args) > 0 && args[0] == "dev" {
		return p.developing(), args[1:]
	}
	return p, args
}

// devUsage is its help text.
func devUsage() string {
	var b strings.Builder
	b.WriteString(`Usage: indrik dev [OPTIONS] [MODULE[:APP] | DIRECTORY]

Serve a Python application, WSGI or ASGI, to whoever writes it: it is loaded
again when a file is saved, each request is a line on the terminal, and a
request that fails is answered with its traceback. Not for service.

These settings have other defaults, which also count more than a configuration
file. Options (indrik --help has them) and INDRIK_ variables count more.

`)
	for _, item := range development().Items {
		if text := item.Text(); text != "" {
			fmt.Fprintf(&b, "  %-20s %s\n", item.Name, text)
		}
	}
	return b.String()
}

// tellDevelopment warns of what makes a tool of development dangerous.
func tellDevelopment(p process, log hclog.Logger, values *settings.Values) {
	if !p.develop {
		return
	}
	if p.getenv("NOTIFY_SOCKET") != "" {
		log.Warn("development under systemd", "reason", "clients are shown tracebacks, and the application is loaded again when a file changes", "instead", "indrik without dev")
	}
	for _, text := range values.Bind() {
		if b, err := activation.ParseBind(text); err == nil && !onlyHere(b) {
			log.Warn("development is open to others", "bind", text, "reason", "whoever connects is shown tracebacks with source text", "instead", "bind 127.0.0.1")
		}
	}
}

// onlyHere reports that nobody from another machine can connect.
func onlyHere(b activation.Bind) bool {
	if b.Network == "unix" || b.Host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(b.Host, "[]"))
	return err == nil && address.IsLoopback()
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/control"
)

// systemInstances is where units have their runtime directories.
const systemInstances = "/run/indrik"

// asked is a question to a running service: the options and arguments of one of the
// commands that are clients of the control socket.
type asked struct {
	process
	socket string // of --socket
	json   bool
}

// verbs are the commands that ask a running service, and how each is made.
func verbs() map[string]func(*asked, *cobra.Command) {
	return map[string]func(*asked, *cobra.Command){
		"status":    statusCommand,
		"top":       topCommand,
		"workers":   workersCommand,
		"requests":  requestsCommand,
		"events":    eventsCommand,
		"reload":    reloadCommand,
		"rollback":  rollbackCommand,
		"scale":     scaleCommand,
		"recycle":   recycleCommand,
		"stacks":    stacksCommand,
		"log-level": logLevelCommand,
	}
}

// newControl makes the command of a verb; nil if there is no such verb.
//
//	indrik status|workers|requests|events [NAME]
//	indrik top [NAME] [--once]
//	indrik reload|rollback [NAME] [--wait=false]
//	indrik scale [NAME] N|+N|-N
//	indrik recycle [NAME] SLOT|all
//	indrik stacks [NAME] [--slot SLOT]
//	indrik log-level [NAME] LEVEL [--for SECONDS]
//
// NAME is an instance, and --socket PATH stands for it. An application in a module of
// such a name is served as status:application.
func newControl(p process, verb string) *cobra.Command {
	build := verbs()[verb]
	if build == nil {
		return nil
	}
	a := &asked{process: p}
	command := &cobra.Command{Use: verb, Hidden: true}
	command.Flags().StringVar(&a.socket, "socket", "", "the control socket")
	command.Flags().BoolVar(&a.json, "json", false, "answer as JSON")
	command.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.proposals(verb, args), cobra.ShellCompDirectiveNoFileComp
	}
	build(a, command)
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("indrik %s: %v", verb, err) })
	return command
}

// controls are the commands of that kind that the arguments call for. A word is a command
// only as the first argument.
func controls(p process) (all []*cobra.Command) {
	if len(p.args) > 1 && verbs()[p.args[1]] != nil {
		all = append(all, newControl(p, p.args[1]))
	}
	return all
}

// decrease is a number of workers that looks like an option.
var decrease = regexp.MustCompile(`^-[0-9]+$`)

// scaleArgs writes -1 of `indrik scale -1` as the option that it then is.
func scaleArgs(args []string) []string {
	if len(args) < 2 || args[1] != "scale" {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if decrease.MatchString(arg) {
			args[i] = "--by=" + arg
		}
	}
	return args
}

// instances are those whose sockets this user can see.
func (a *asked) instances() []control.Instance {
	dirs := []string{systemInstances}
	if user := a.getenv("XDG_RUNTIME_DIR"); user != "" {
		dirs = append(dirs, filepath.Join(user, "indrik"))
	}
	return control.Find(dirs...)
}

// client finds the service that is meant: the socket that is named, the instance, or
// the only one that runs.
func (a *asked) client(name string) (*control.Client, error) {
	if a.socket != "" {
		if name != "" {
			return nil, usagef("both --socket and the instance %s are named; leave one out", name)
		}
		return control.NewClient(a.socket), nil
	}
	all := a.instances()
	if name != "" {
		i := slices.IndexFunc(all, func(each control.Instance) bool { return each.Name == name })
		if i >= 0 {
			return control.NewClient(all[i].Path), nil
		}
		path := filepath.Join(systemInstances, name, control.SocketName)
		return nil, &control.UnreachableError{Path: path, Err: fmt.Errorf(
			"no instance %s runs with a control socket that this user can see%s", name, others(all))}
	}
	all = slices.DeleteFunc(all, func(each control.Instance) bool { return control.Holder(each.Path) == 0 })
	switch len(all) {
	case 0:
		return nil, &control.UnreachableError{Path: systemInstances, Err: errors.New(
			"no service runs with a control socket that this user can see; name its socket with --socket, or be root")}
	case 1:
		return control.NewClient(all[0].Path), nil
	}
	return nil, usagef("several services run; name one of %s", strings.Join(names(all), ", "))
}

func names(all []control.Instance) (names []string) {
	for _, each := range all {
		names = append(names, each.Name)
	}
	return names
}

// others names what there is instead.
func others(all []control.Instance) string {
	if len(all) == 0 {
		return ""
	}
	return "; there are " + strings.Join(names(all), ", ")
}

// show prints an answer, as JSON if that is wanted.
func (a *asked) show(what any, text func() string) error {
	if !a.json {
		_, err := fmt.Fprint(a.stdout, text())
		return err
	}
	encoded, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", encoded)
	return err
}

// get asks for what is at path and prints it.
func get[T any](ctx context.Context, a *asked, name, path string, text func(T) string) error {
	c, err := a.client(name)
	if err != nil {
		return err
	}
	var found T
	if err := c.Get(ctx, path, &found); err != nil {
		return err
	}
	return a.show(found, func() string { return text(found) })
}

// post orders what path says and prints the answer.
func post[T any](ctx context.Context, a *asked, name, path string, wish any, text func(T) string) error {
	c, err := a.client(name)
	if err != nil {
		return err
	}
	var found T
	if err := c.Post(ctx, path, wish, &found); err != nil {
		return err
	}
	return a.show(found, func() string { return text(found) })
}

// first is the only argument, or "".
func first(args []string) string { return strings.Join(args, "") }

// nameAnd splits the arguments of a command into an instance, or "", and its last
// argument. what says in an error what that is.
func nameAnd(args []string, what string) (name, last string, err error) {
	switch len(args) {
	case 1:
		return "", args[0], nil
	case 2:
		return args[0], args[1], nil
	}
	return "", "", usagef("say what: [NAME] %s", what)
}

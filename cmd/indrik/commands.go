package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// command is the command that the arguments call for beside serving, or nil.
//
// An application may live in a module called check, migrate, setup or remove, and
// is then served by that name as any other. The words are commands only where nothing could be served:
// before a second argument that is no option. So files and names come right
// after the word, and options last. The words exec and dev are commands always: their options come first,
// and applications of those names are served as exec:application and dev:application.
func command(p process) *cobra.Command {
	if len(p.args) > 1 && p.args[1] == "exec" {
		return newExec(p)
	}
	if len(p.args) > 1 && p.args[1] == "dev" {
		return newDev(p)
	}
	if len(p.args) < 3 {
		return nil
	}
	word, first := p.args[1], p.args[2]
	// Help about them is asked for without a name, and serves nothing either way.
	helped := (word == "setup" || word == "remove") && (first == "--help" || first == "-h")
	if strings.HasPrefix(first, "-") && !helped {
		return nil
	}
	switch word {
	case "check":
		return newCheck(p)
	case "migrate":
		return newMigrate(p)
	case "setup":
		return newSetup(p)
	case "remove":
		return newRemove(p)
	case "preflight":
		return newPreflight(p)
	}
	return nil
}

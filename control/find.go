package control

import (
	"path/filepath"
	"slices"
	"strings"
)

// SocketName is what the socket is called in the runtime directory of a unit.
const SocketName = "control"

// Suffix ends the names of sockets of services without a unit.
const Suffix = ".control"

// Instance is a service whose control socket was found. Nobody may answer on it.
type Instance struct {
	Name string
	Path string
}

// Find returns the instances below directories like /run/indrik, sorted by name: DIR/NAME/control
// of units, DIR/NAME.control of services that were started by hand.
func Find(dirs ...string) []Instance {
	var all []Instance
	for _, dir := range dirs {
		units, _ := filepath.Glob(filepath.Join(dir, "*", SocketName)) // the pattern is lawful
		for _, path := range units {
			all = append(all, Instance{filepath.Base(filepath.Dir(path)), path})
		}
		others, _ := filepath.Glob(filepath.Join(dir, "*"+Suffix))
		for _, path := range others {
			all = append(all, Instance{strings.TrimSuffix(filepath.Base(path), Suffix), path})
		}
	}
	slices.SortStableFunc(all, func(a, b Instance) int { return strings.Compare(a.Name, b.Name) })
	return all
}

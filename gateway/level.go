package gateway

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/dispatch"
)

// LevelOrder changes what the gateway logs, which at first is what its options say.
func LevelOrder(level hclog.Level) dispatch.Tuple { return dispatch.Tuple{"log-level", level.String()} }

// changeLevel carries it out, for the loggers of all loops too.
func (g *gateway) changeLevel(o *order) error {
	level := hclog.LevelFromString(item[string](o, 1))
	if o.bad || level == hclog.NoLevel {
		return fmt.Errorf("%w: log-level", errOrder)
	}
	g.log.SetLevel(level)
	g.log.Debug("log level changed", "to", level)
	return nil
}

package logsink

import "sync/atomic"

// Counts is how many lines of a log were how severe. Any goroutine may use it;
// a nil Counts counts nothing.
type Counts struct{ errors, warnings atomic.Int64 }

// Error counts a line about an error.
func (c *Counts) Error() {
	if c != nil {
		c.errors.Add(1)
	}
}

// Warning counts a warning.
func (c *Counts) Warning() {
	if c != nil {
		c.warnings.Add(1)
	}
}

// Take returns what was counted since the last time.
func (c *Counts) Take() (errors, warnings int64) {
	if c == nil {
		return 0, 0
	}
	return c.errors.Swap(0), c.warnings.Swap(0)
}

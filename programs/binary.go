package programs

import (
	"os"

	"github.com/hashicorp/go-hclog"
)

// noteBinary says at a reload that another binary of Indrik is where this one was started
// from: unlike the master of Python workers, this one does not execute it. A file that runs
// keeps its inode, so another inode is another binary.
func (m *master) noteBinary() {
	if m.cfg.Path == "" {
		return
	}
	ours, err := os.Stat("/proc/self/exe")
	if err != nil {
		return // nobody can tell
	}
	if there, err := os.Stat(m.cfg.Path); err == nil && !os.SameFile(ours, there) {
		m.log.Info("another binary not executed", "path", hclog.Quote(m.cfg.Path), "hint", "a reload exchanges the programs; restart the service to exchange indrik, which refuses no client under systemd (docs/exec.md)")
	}
}

package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// target is what the lab boots into: basic.target and nothing else, so that a
// boot takes seconds and the host's services do not start a second time.
const target = "indrik-lab.target"

const targetUnit = `[Unit]
Description=Everything that a lab needs
Requires=basic.target
After=basic.target
AllowIsolate=yes
`

// journalConf lets no line be lost: a missing line must mean that it was never
// written.
const journalConf = `[Journal]
Storage=volatile
RateLimitIntervalSec=0
ForwardToConsole=no
`

// masked are units that basic.target pulls in and no test needs.
var masked = [...]string{
	"timers.target",
	"systemd-timesyncd.service",
	"systemd-networkd.service",
	"systemd-networkd.socket",
	"systemd-resolved.service",
	"systemd-hwdb-update.service",
	"systemd-update-done.service",
	"ldconfig.service",
	"networking.service",
	"ifupdown-pre.service",
	"apparmor.service",
	"keyboard-setup.service",
	"console-setup.service",
}

// prepareRoot turns an overlay of the host's root file system into one that
// boots by itself. It runs before anything of the overlay does.
func prepareRoot(root string) error {
	units := filepath.Join(root, "etc/systemd/system")
	conf := filepath.Join(root, "etc/systemd/journald.conf.d")
	for _, d := range []string{units, conf} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		filepath.Join(units, target):          targetUnit,
		filepath.Join(conf, "90-lab.conf"):    journalConf,
		filepath.Join(root, "etc/fstab"):      "",
		filepath.Join(root, "etc/hostname"):   "indrik-lab\n",
		filepath.Join(root, "etc/hosts"):      "127.0.0.1 localhost indrik-lab\n::1 localhost\n",
		filepath.Join(root, "etc/adjtime"):    "",
		filepath.Join(root, "etc/machine-id"): "", // empty: systemd makes one up
	}
	for name, text := range files {
		// Removed first, because a symbolic link would lead to the host's file.
		_ = os.Remove(name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, unit := range masked {
		name := filepath.Join(units, unit)
		_ = os.Remove(name)
		if err := os.Symlink("/dev/null", name); err != nil {
			return err
		}
	}
	return nil
}

// Project returns the root of the module whose tests are running: the nearest
// directory above the working directory that has a go.mod.
func Project() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == "/" {
			return "", fmt.Errorf("find the project: no go.mod in %s or above", dir)
		}
	}
}

// Inside is where the lab shows the project, read-only: its own path may be
// under /tmp, which is another one there, or not on the root file system.
const Inside = "/mnt/project"

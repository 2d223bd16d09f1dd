package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Missing reports everything that this machine lacks to run a lab, or nil. The
// text names the remedy.
func Missing() error {
	var errs []error
	if os.Geteuid() != 0 {
		errs = append(errs, errors.New("root (mounts and namespaces need it)"))
	} else if !mayMount() {
		errs = append(errs, errors.New("CAP_SYS_ADMIN (this root may not mount)"))
	}
	for program, pkg := range map[string]string{"systemd-nspawn": "systemd-container", "nsenter": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			errs = append(errs, fmt.Errorf("%s (Debian package %s)", program, pkg))
		}
	}
	mounts, err := groupMounts()
	if err != nil {
		errs = append(errs, err)
	} else if _, ok := mounts[""]; !ok {
		errs = append(errs, errors.New("a mounted cgroup v2 hierarchy"))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("the lab needs: %w", errors.Join(errs...))
}

// mayMount tells whether this process has CAP_SYS_ADMIN, see capabilities(7).
func mayMount() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

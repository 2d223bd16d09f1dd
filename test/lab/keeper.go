package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// keeperEnv makes a test binary play the keeper; its value is a keeperOrder.
	keeperEnv = "INDRIK_LAB_KEEPER"
	// searchPath is where the keeper and commands inside the lab find programs.
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// base is where the keeper keeps everything, on the tmpfs that it mounts
	// over /run. Hiding the host's /run also keeps nspawn's lock files and
	// propagation directories off the host.
	base = "/run/lab"
)

// keeperOrder is what the test process asks of the keeper.
type keeperOrder struct {
	Groups  []string // control groups to join, by absolute path
	Project string   // directory to show at Inside
}

// fact is what the keeper reports, one JSON value each.
type fact struct {
	Leader int    `json:",omitempty"` // systemd's pid in the keeper's pid namespace
	Ready  bool   `json:",omitempty"` // systemd has reached its default target
	Failed string `json:",omitempty"` // the keeper cannot go on, and why
}

// Main is the TestMain of a package that uses a lab: it plays the keeper if
// this process was started as one and otherwise runs the tests. It returns the
// exit status.
func Main(m *testing.M) int {
	order, asked := os.LookupEnv(keeperEnv)
	if !asked {
		return m.Run()
	}
	facts := json.NewEncoder(os.NewFile(3, "facts"))
	if err := keep(order, facts); err != nil {
		_ = facts.Encode(fact{Failed: err.Error()}) // the reader may be gone
		return 1
	}
	return 0
}

// keep is the keeper's life: it ends when nspawn does or when the life line
// (standard input) reaches end of file. As PID 1 of its pid namespace it takes
// everything with it.
func keep(encoded string, facts *json.Encoder) error {
	var order keeperOrder
	if err := json.Unmarshal([]byte(encoded), &order); err != nil {
		return fmt.Errorf("read keeper order: %w", err)
	}
	unix.CloseOnExec(3)
	if err := mountAll(); err != nil {
		return err
	}
	if err := prepareRoot(filepath.Join(base, "root")); err != nil {
		return fmt.Errorf("prepare the lab's root: %w", err)
	}
	for _, g := range order.Groups {
		if err := os.WriteFile(filepath.Join(g, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	notify := filepath.Join(base, "notify")
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("listen for nspawn's notifications: %w", err)
	}
	go relay(sock, facts)

	cmd := nspawn(notify, order.Project)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start systemd-nspawn: %w", err)
	}
	ended := make(chan error, 2)
	go func() { ended <- cmd.Wait() }()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // end of file: the test process is gone or done
		ended <- nil
	}()
	return <-ended
}

// mountAll builds the overlay in this mount namespace, where nobody else sees it.
func mountAll() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// nspawn looks up processes by the numbers of this pid namespace.
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on /run: %w", err)
	}
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=/,upperdir=%[1]s/upper,workdir=%[1]s/work", base)
	if err := unix.Mount("overlay", filepath.Join(base, "root"), "overlay", 0, layers); err != nil {
		return fmt.Errorf("mount overlay (%s): %w", layers, err)
	}
	return nil
}

// nspawn is the container's command. --keep-unit and --register=no because
// there need be no systemd on the host; --private-network so that ports inside
// collide with nobody's.
func nspawn(notify, project string) *exec.Cmd {
	args := []string{
		"--quiet", "--register=no", "--keep-unit", "--private-network", "--settings=no",
		"--machine=indrik-lab", "--directory=" + filepath.Join(base, "root"),
		"--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--console=read-only", "--notify-ready=yes",
	}
	// A colon in the path would divide the option's parts.
	args = append(args, "--bind-ro="+strings.ReplaceAll(project, ":", `\:`)+":"+Inside)
	args = append(args, "--boot", "systemd.unit="+target, "systemd.show_status=no")
	cmd := exec.Command("systemd-nspawn", args...)
	cmd.Env = []string{
		"PATH=" + searchPath,
		"NOTIFY_SOCKET=" + notify,
		// The host may have hybrid control groups; the lab has cgroup v2.
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// relay turns nspawn's notifications (sd_notify(3)) into facts.
func relay(sock *net.UnixConn, facts *json.Encoder) {
	buf := make([]byte, 4096)
	for {
		n, err := sock.Read(buf)
		if err != nil {
			return // the keeper is leaving
		}
		for line := range bytes.Lines(buf[:n]) {
			key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte("="))
			switch string(key) {
			case "X_NSPAWN_LEADER_PID":
				if pid, err := strconv.Atoi(string(value)); err == nil {
					_ = facts.Encode(fact{Leader: pid}) // the reader may be gone
				}
			case "READY":
				_ = facts.Encode(fact{Ready: true})
			}
		}
	}
}

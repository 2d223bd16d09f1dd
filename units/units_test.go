// Package units_test reads the unit files as an administrator's tools do, and
// checks what the code and the other units take for granted. That they work is
// tested by test/lab, in a real systemd.
package units_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// unit is the content of a unit file: the values of each key, by "Section.Key",
// in their order.
type unit map[string][]string

func read(t *testing.T, name string) unit {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	u, section := unit{}, ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				t.Fatalf("%s: no assignment: %q", name, line)
			}
			key = section + "." + key
			u[key] = append(u[key], value)
		}
	}
	return u
}

func (u unit) want(t *testing.T, key string, values ...string) {
	t.Helper()
	if !slices.Equal(u[key], values) {
		t.Errorf("%s: got %q, want %q", key, u[key], values)
	}
}

// The documentation and the log promise a listener called http.
func TestSocketIsNamedAndPrivate(t *testing.T) {
	u := read(t, "indrik@.socket")
	u.want(t, "Socket.FileDescriptorName", "http")
	u.want(t, "Socket.ListenStream", "/run/indrik/%i.sock")
	u.want(t, "Socket.SocketMode", "0660")
	u.want(t, "Socket.SocketGroup", "indrik") // of sysusers.conf
	if text, err := os.ReadFile("sysusers.conf"); err != nil || !strings.Contains(string(text), "\ng indrik - -\n") {
		t.Errorf("sysusers.conf does not make the group indrik (%v); without it the socket cannot be opened", err)
	}
	u.want(t, "Install.WantedBy", "sockets.target")
	if accept := u["Socket.Accept"]; len(accept) > 0 {
		t.Errorf("Accept=%q: the master takes listeners, not connections", accept)
	}
}

// Each of these has a symptom that nobody would trace to the unit: see the
// comments in the file.
func TestServiceFitsTheMaster(t *testing.T) {
	u := read(t, "indrik@.service")
	u.want(t, "Unit.StartLimitIntervalSec", "0")
	u.want(t, "Unit.Requires", "indrik@%i.socket")
	u.want(t, "Service.Type", "notify")
	u.want(t, "Service.NotifyAccess", "main")
	u.want(t, "Service.KillMode", "mixed")
	u.want(t, "Service.OOMPolicy", "continue")
	u.want(t, "Service.Delegate", "memory")
	u.want(t, "Service.ProtectControlGroups", "no") // else nothing is delegated that could be written to
	u.want(t, "Service.NonBlocking", "yes")
	u.want(t, "Service.Restart", "on-failure")
	u.want(t, "Service.User", "indrik-%i")
	u.want(t, "Service.DynamicUser", "yes")
	u.want(t, "Service.ExecStart", "/usr/bin/indrik --config=-/etc/indrik/%i.toml $OPTIONS $APP")
	u.want(t, "Service.EnvironmentFile", "-/etc/indrik/%i.env")
	u.want(t, "Service.Slice", "indrik.slice")
	if !slices.Contains(u["Unit.After"], "indrik@%i.socket") {
		t.Errorf("After: got %q, want the socket among them", u["Unit.After"])
	}
	for _, family := range []string{"AF_UNIX", "AF_INET", "AF_INET6"} {
		if !strings.Contains(strings.Join(u["Service.RestrictAddressFamilies"], " ")+" ", family+" ") {
			t.Errorf("RestrictAddressFamilies lacks %s; without AF_UNIX even READY=1 is lost", family)
		}
	}
}

// The gateway beats ten times a second and the master judges it after half of
// the interval, but not before a second: an interval under four seconds would
// leave no room for a busy machine.
func TestTimesLeaveRoom(t *testing.T) {
	u := read(t, "indrik@.service")
	if watchdog := seconds(t, u, "Service.WatchdogSec"); watchdog < 4*time.Second {
		t.Errorf("WatchdogSec: got %v, want at least 4s", watchdog)
	}
	const gracefulTimeout = 30 * time.Second // the default of --graceful-timeout
	if stop := seconds(t, u, "Service.TimeoutStopSec"); stop < 2*gracefulTimeout {
		t.Errorf("TimeoutStopSec: got %v, want at least twice the graceful timeout", stop)
	}
}

func seconds(t *testing.T, u unit, key string) time.Duration {
	t.Helper()
	values := u[key]
	if len(values) != 1 {
		t.Fatalf("%s: got %q, want one value", key, values)
	}
	d, err := time.ParseDuration(values[0] + "s")
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return d
}

// What is true of both variants must not be changed in one of them only. What a
// user's manager cannot do is the difference.
func TestVariantForUsersAgrees(t *testing.T) {
	system, user := read(t, "indrik@.service"), read(t, "user/indrik@.service")
	for _, key := range []string{
		"Unit.StartLimitIntervalSec", "Unit.Requires", "Service.Type", "Service.NotifyAccess", "Service.NonBlocking",
		"Service.WatchdogSec", "Service.Restart", "Service.RestartSec", "Service.KillMode", "Service.TimeoutStopSec",
		"Service.ExecReload", "Service.OOMPolicy", "Service.Delegate", "Service.FileDescriptorStoreMax", "Service.UMask", "Service.SystemCallFilter", "Service.RestrictAddressFamilies",
	} {
		if len(system[key]) == 0 {
			t.Errorf("%s is not in the system's unit", key)
		}
		user.want(t, key, system[key]...)
	}
	for _, rights := range []string{"Service.DynamicUser", "Service.User", "Service.ProtectSystem", "Service.CapabilityBoundingSet"} {
		user.want(t, rights)
	}
	user.want(t, "Service.ExecStart", strings.ReplaceAll(system["Service.ExecStart"][0], "/etc/", "%E/"))
	user.want(t, "Socket.ListenStream")
	read(t, "user/indrik@.socket").want(t, "Socket.ListenStream", "%t/indrik/%i.sock")
}

// systemd itself finds misspelt keys and sections.
func TestSystemdUnderstandsTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"indrik@.socket", "indrik@.service", "indrik.slice", "indrik.target"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// The binary is not installed here, and verify wants to see one.
		text = []byte(strings.ReplaceAll(string(text), "/usr/bin/indrik ", "/bin/true "))
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no",
		filepath.Join(dir, "indrik@demo.service"), filepath.Join(dir, "indrik@demo.socket"))
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	said, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "indrik@") {
			t.Errorf("systemd-analyze: %s", strings.TrimSpace(line))
		}
	}
	if err != nil && !t.Failed() {
		t.Skipf("systemd-analyze does not work here: %v\n%s", err, said)
	}
}

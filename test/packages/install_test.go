package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// make uninstall takes away what make install brought, and nobody's configuration.
func TestInstallAndUninstall(t *testing.T) {
	built(t, "amd64/indrik")
	project, root := project(t), t.TempDir()
	t.Setenv("BUILD", filepath.Join(project, "build/amd64"))
	run(t, filepath.Join(project, "packaging/install"), root)
	compare(t, root, manifest(t, "", "usr/share/zsh/site-functions"))
	run(t, filepath.Join(project, "packaging/uninstall"), root)
	left, err := os.ReadDir(root)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}

	run(t, filepath.Join(project, "packaging/install"), root)
	theirs := filepath.Join(root, "etc/indrik/shop.toml")
	if err := os.WriteFile(theirs, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, filepath.Join(project, "packaging/uninstall"), root)
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
}

// The five minutes of the README, from nothing to an answer and back.
func TestFiveMinutes(t *testing.T) {
	root := project(t)
	built(t, "amd64/indrik")
	m := boot(t)
	before := m.files()
	inside := m.inside(root)
	m.do("BUILD=" + m.inside(root+"/build/amd64") + " " + inside + "/packaging/install / && systemd-sysusers && systemctl daemon-reload; cp -r " + inside + "/examples/hello /srv/hello")
	m.do("indrik setup hello --app app:app --workers 2")
	if got := m.do("systemctl is-active indrik@hello.service || true"); got != "inactive" {
		t.Errorf("before the first connection the service is %s", got)
	}
	m.do("curl --silent --show-error --fail --unix-socket /run/indrik/hello.sock http://localhost/; systemctl reload indrik@hello.service")
	said := m.do("indrik remove hello") // and its cache
	if !strings.HasSuffix(said, "left: /var/lib/private/indrik/hello") {
		t.Errorf("remove said:\n%s", said)
	}
	m.do("rm -r /srv/hello /run/indrik /var/lib/private/indrik /var/lib/indrik; " + inside + "/packaging/uninstall /; systemctl daemon-reload")
	if left := difference(before, m.files()); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

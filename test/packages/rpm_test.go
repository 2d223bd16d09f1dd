package packages

import (
	"strings"
	"testing"
)

// The RPM is installed, upgraded under load and erased by rpm itself, whose
// database in the lab is otherwise empty: its scriptlets and the files are real,
// the distribution around them is another's.
func TestRPM(t *testing.T) {
	older, newer := built(t, "rpm/indrik-*.rpm"), built(t, "rpm-newer/indrik-*.rpm")
	tool(t, "rpm", "rpm")
	m := boot(t)
	m.do("mkdir -p /var/lib/rpm")
	before := m.files()
	// What it requires are packages with Fedora's names.
	m.do("rpm --install --nodeps --force-debian " + m.inside(older))
	m.do("getent group indrik; systemctl is-enabled --quiet indrik.target")
	if got := m.do("systemctl list-units --plain --no-legend 'indrik@*'"); got != "" {
		t.Errorf("after the installation these run: %s", got)
	}
	was := m.do("indrik --version")
	for name, text := range map[string]string{"shop": hosted + "[unit]\n", "plain": hosted} {
		m.must(m.WriteFile("/etc/indrik/"+name+".toml", []byte(text), 0o644))
	}
	m.must(m.WriteFile("/srv/shop/app.py", []byte(application), 0o644))
	// Fedora's presets leave the target to the administrator.
	m.do("systemctl daemon-reload; systemctl start indrik.target indrik@plain.socket; while ! systemctl is-active --quiet indrik@shop.socket; do sleep 0.1; done")
	m.upgrade("rpm --upgrade --nodeps --force-debian "+m.inside(newer), was)

	m.do("rpm --erase --nodeps --force-debian indrik")
	if left := m.do("systemctl list-units --plain --no-legend --state=active,activating,deactivating,failed 'indrik*' | grep -v -e '^indrik.slice' -e '^indrik-lab' || true"); left != "" {
		t.Errorf("after the erasure there is still: %s", left)
	}
	m.do("! test -e /usr/bin/indrik && ! pgrep --exact indrik; rm -r /srv/shop /etc/indrik; systemctl daemon-reload")
	var left []string
	for _, f := range difference(before, m.files()) {
		// An RPM has no purge: the state of applications stays. Debian has no
		// directory of licences, which Fedora always has.
		if !strings.HasPrefix(f, "/var/lib/rpm") && !strings.HasPrefix(f, "/var/lib/private") && !strings.HasPrefix(f, "/var/lib/indrik") &&
			f != "/usr/share/licenses" {
			left = append(left, f)
		}
	}
	if len(left) > 0 {
		t.Errorf("the package left behind:\n%s", strings.Join(left, "\n"))
	}
}

func TestRPMHoldsTheManifest(t *testing.T) {
	pkg := built(t, "rpm/indrik-*.rpm")
	tool(t, "rpm2cpio", "rpm2cpio")
	tool(t, "cpio", "cpio")
	root := t.TempDir()
	run(t, "sh", "-euc", `cd "$1"; rpm2cpio "$2" | cpio --extract --make-directories --quiet`, "sh", root, pkg)
	compare(t, root, manifest(t, "rpm", "usr/share/zsh/site-functions"))
}

// What rpmlint may say is in packaging/rpm/rpmlint.toml, with the reason.
func TestRPMLint(t *testing.T) {
	root := project(t)
	said := run(t, tool(t, "rpmlint", "rpmlint"), "--config", root+"/packaging/rpm/rpmlint.toml",
		built(t, "rpm/indrik-*.rpm"), root+"/packaging/rpm/indrik.spec")
	if !strings.Contains(said, " 0 errors, 0 warnings") {
		t.Errorf("rpmlint:\n%s", said)
	}
}

// What lintian may say is in debian/*.lintian-overrides, with the reason.
func TestLintian(t *testing.T) {
	changes := built(t, "deb/indrik_*.changes")
	said := run(t, tool(t, "lintian", "lintian"), "--display-info", "--fail-on", "error,warning,info", "--allow-root", changes)
	if said != "" {
		t.Errorf("lintian:\n%s", said)
	}
}

// Two builds in different directories are the same to the last byte.
func TestBuildsAreReproducible(t *testing.T) {
	for first, second := range map[string]string{
		"deb/indrik_*[0-9]-1_*.deb": "deb-again/indrik_*.deb",
		"rpm/indrik-*.rpm":          "rpm-again/indrik-*.rpm",
	} {
		t.Run(strings.SplitN(first, "/", 2)[0], func(t *testing.T) {
			run(t, "cmp", built(t, first), built(t, second))
		})
	}
}

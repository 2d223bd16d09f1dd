package packages

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/indrik/indrik/test/lab"
)

const (
	application = `import time
time.sleep(0.5)  # an import that takes a while
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"shop\n"]
`
	hosted = "wsgi_app = 'app:app'\nworkers = 2\npython = '/usr/bin/python3'\nchdir = '/srv/shop'\n"
)

// machine is a lab in which commands must succeed.
type machine struct {
	*lab.Lab
	t *testing.T
}

func boot(t *testing.T) machine {
	t.Helper()
	if err := lab.Missing(); err != nil {
		missing(t, err.Error())
	}
	l, err := lab.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	m := machine{l, t}
	m.do("rm -f /usr/sbin/policy-rc.d") // images of containers forbid packages to start anything
	return m
}

// do runs a script of sh in the lab and returns what it printed, without the
// white space around it.
func (m machine) do(script string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), stepLimit)
	defer cancel()
	out, err := m.Run(ctx, "sh", "-euc", "export DEBIAN_FRONTEND=noninteractive; exec 2>&1; "+script)
	if err != nil {
		journal, _ := m.Run(context.Background(), "journalctl", "--no-pager", "--lines=40")
		m.t.Fatalf("%v\n%s", err, journal)
	}
	return strings.TrimSpace(out)
}

// inside is where the lab sees a file of the checkout.
func (m machine) inside(file string) string {
	return lab.Inside + strings.TrimPrefix(file, project(m.t))
}

// files lists every path that a package could have left. Elsewhere the machine
// below the lab goes on living.
func (m machine) files() []string {
	return strings.Split(m.do(`find /etc /usr /var /srv /opt /run/indrik* /run/systemd/generator* -xdev \( -path /var/log -o -path /var/tmp \
	-o -path /var/lib/dpkg -o -path /var/lib/systemd/timers \) -prune -o -print 2>/dev/null || true`), "\n")
}

// The whole life of the package on a machine that serves.
func TestDebianPackage(t *testing.T) {
	older, newer := built(t, "deb/indrik_*[0-9]-1_*.deb"), built(t, "deb-newer/indrik_*.deb")
	m := boot(t)
	before := m.files()

	m.do("dpkg --install " + m.inside(older))
	if got := m.do("systemctl list-units --plain --no-legend 'indrik*'"); strings.Contains(got, "indrik@") || !strings.Contains(got, "indrik.target") {
		t.Errorf("after the installation these run: %s; want the target and no instance", got)
	}
	m.do("getent group indrik")
	was := m.do("indrik --version")

	// Two instances: one dropped into place, one enabled as any other unit is.
	for name, text := range map[string]string{"shop": hosted + "[unit]\n", "plain": hosted} {
		m.must(m.WriteFile("/etc/indrik/"+name+".toml", []byte(text), 0o644))
	}
	m.must(m.WriteFile("/srv/shop/app.py", []byte(application), 0o644))
	m.do("systemctl daemon-reload; systemctl enable --quiet --now indrik@plain.socket; while ! systemctl is-active --quiet indrik@shop.socket; do sleep 0.1; done")

	m.upgrade("dpkg --install "+m.inside(newer), was)

	m.do("dpkg --remove indrik")
	if left := m.do("systemctl list-units --plain --no-legend --state=active,activating,deactivating,failed 'indrik*' | grep -v -e '^indrik.slice' -e '^indrik-lab' || true"); left != "" {
		t.Errorf("after the removal there is still: %s", left)
	}
	m.do("test -e /etc/indrik/shop.toml && ! test -e /usr/bin/indrik && ! pgrep --exact indrik")
	m.do("dpkg --purge indrik; rm -r /srv/shop; systemctl daemon-reload; systemctl reset-failed")
	if left := difference(before, m.files()); len(left) > 0 {
		t.Errorf("the package left behind:\n%s", strings.Join(left, "\n"))
	}
}

func (m machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// upgrade installs the newer package by a command, under load; nobody may notice.
func (m machine) upgrade(command, was string) {
	m.t.Helper()
	shop := press(m.t, m.Lab, "/run/indrik/shop.sock", 2, 2)
	plain := press(m.t, m.Lab, "/run/indrik/plain.sock", 1, 1)
	shop.more(m.t, 50)
	plain.more(m.t, 50)
	pids := m.do("systemctl show --value --property=MainPID indrik@shop.service indrik@plain.service")
	said := m.do(command)
	shop.more(m.t, 50)
	plain.more(m.t, 50)
	shop.end(m.t)
	plain.end(m.t)

	if now := m.do("indrik --version"); now == was {
		m.t.Errorf("the version is %s before and after; the upgrade was none", now)
	}
	if now := m.do("systemctl show --value --property=MainPID indrik@shop.service indrik@plain.service"); now != pids {
		m.t.Errorf("the masters were %s and are %s; a reload keeps them:\n%s", pids, now, said)
	}
	// What the old gateways still held may take them a moment.
	if old := m.do(runsOld + `; for i in $(seq 300); do [ -n "$(old)" ] || break; sleep 0.1; done; old`); old != "" {
		m.t.Errorf("the old binary is still run by:\n%s", old)
	}
	if strings.Contains(said, "indrik: ") {
		m.t.Errorf("the package complains: %s", said)
	}
}

// runsOld defines a function of sh that lists processes of a binary which is not on
// disk any more.
const runsOld = `old() { for p in /proc/[0-9]*; do case $(readlink "$p/exe") in */indrik*deleted*) cat "$p/comm" ;; esac; done; }`

// An application that cannot be loaded any more is none of the package's business: what
// serves goes on serving, dpkg is not left half way, and the administrator reads of it.
func TestUpgradeWithABrokenApplication(t *testing.T) {
	older, newer := built(t, "deb/indrik_*[0-9]-1_*.deb"), built(t, "deb-newer/indrik_*.deb")
	m := boot(t)
	m.do("dpkg --install " + m.inside(older))
	m.must(m.WriteFile("/etc/indrik/shop.toml", []byte(hosted), 0o644))
	m.must(m.WriteFile("/srv/shop/app.py", []byte(application), 0o644))
	m.do("systemctl start indrik@shop.service")
	m.must(m.WriteFile("/srv/shop/app.py", []byte("import module_that_nobody_has\n"), 0o644))
	said := m.do("dpkg --install " + m.inside(newer))
	if !strings.Contains(said, "indrik@shop.service could not be reloaded and goes on with the version before") {
		t.Errorf("dpkg did not say so:\n%s", said)
	}
	const ask = "curl --silent --show-error --max-time 30 --unix-socket /run/indrik/shop.sock http://lab.test/"
	if got := m.do(ask); got != "shop" {
		t.Errorf("what served before answers %q", got)
	}
	if got := m.do("dpkg-query --show --showformat='${Status}' indrik"); got != "install ok installed" {
		t.Errorf("status of the package: %s", got)
	}
	// What dpkg told to do helps.
	m.must(m.WriteFile("/srv/shop/app.py", []byte(strings.Replace(application, "shop", "mended", 1)), 0o644))
	m.do(`systemctl reload indrik@shop.service; [ "/proc/$(systemctl show --value --property=MainPID indrik@shop.service)/exe" -ef /usr/bin/indrik ]`)
	if got := m.do(ask); got != "mended" {
		t.Errorf("after the repair: got %q", got)
	}
}

// difference is what the second list has and the first has not.
func difference(before, after []string) []string {
	known := make(map[string]bool, len(before))
	for _, f := range before {
		known[f] = true
	}
	return slices.DeleteFunc(slices.Clone(after), func(f string) bool { return known[f] })
}

// Every path of the manifest is in the package, with its mode, and nothing else
// but documentation.
func TestDebianPackageHoldsTheManifest(t *testing.T) {
	dpkg := tool(t, "dpkg-deb", "dpkg")
	root := t.TempDir()
	run(t, dpkg, "--extract", built(t, "deb/indrik_*[0-9]-1_*.deb"), root)
	compare(t, root, manifest(t, "deb", "usr/share/zsh/vendor-completions"))
}

// compare holds an unpacked package against the manifest. Manual pages may have
// been compressed.
func compare(t *testing.T, root string, want map[string]string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at := "/" + strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(path, root), ".gz"), "/")
		got, err := describe(path, d)
		if err != nil {
			return err
		}
		if want[at] != got && !d.IsDir() && !strings.HasPrefix(at, "/usr/share/doc/indrik/") && !strings.HasPrefix(at, "/usr/share/lintian/") && !strings.HasPrefix(at, "/usr/share/licenses/") {
			t.Errorf("%s: the package has %q, the manifest %q", at, got, want[at])
		}
		delete(want, at)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for at := range want {
		t.Errorf("%s: not in the package", at)
	}
}

func describe(path string, d os.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	switch {
	case d.Type()&os.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "link " + target, err
	case d.IsDir():
		return "dir " + octal(info), nil
	}
	return "file " + octal(info), nil
}

func octal(info os.FileInfo) string {
	m := info.Mode().Perm()
	return "0" + string([]byte{'0' + byte(m>>6), '0' + byte(m>>3&7), '0' + byte(m&7)})
}

package lab

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// reloads is how many TestReloadsUnderLoad makes; one of five is preceded by one
// that must fail.
var reloads = flag.Int("reloads", 10, "reloads of TestReloadsUnderLoad")

// builds are two binaries, which tell themselves apart by their versions.
var builds struct {
	once sync.Once
	err  error
}

const (
	firstVersion, secondVersion = "9.0.1", "9.0.2"
	// buildsAt holds a directory for each version in the lab.
	buildsAt = "/srv/builds/"
)

// build compiles both versions as they are released and brings them into the lab.
func build(t *testing.T) {
	t.Helper()
	builds.once.Do(func() {
		dir := t.TempDir()
		for _, version := range []string{firstVersion, secondVersion} {
			to := filepath.Join(dir, version)
			cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-X main.version="+version, "-o", to, "../../cmd/indrik")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				builds.err = fmt.Errorf("build version %s: %w\n%s", version, err, out)
				return
			}
			if builds.err = booted(t).CopyFile(to, buildsAt+version+"/indrik", 0o755); builds.err != nil {
				return
			}
		}
	})
	if builds.err != nil {
		t.Fatal(builds.err)
	}
}

// A replaceable is a service with a binary of its own, so that it can be replaced
// while other tests run, and an application whose version is a file.
type replaceable struct {
	*service
	address string // TCP, of its socket unit
	toml    string // its configuration without a fault
	code    int    // version of the application
	binary  string // version of the binary that is installed
}

// replace installs a service that has not been started.
func replace(t *testing.T, name, address, toml string) *replaceable {
	t.Helper()
	r := &replaceable{address: address, toml: toml}
	r.service = install(t, name, config{
		toml:    toml,
		service: "[Service]\nExecStart=\nExecStart=/srv/" + name + "/bin/indrik --config=/etc/indrik/%i.toml\n",
		socket:  "[Socket]\nListenStream=" + address + "\n",
	})
	build(t)
	r.exchange(firstVersion)
	r.newCode()
	return r
}

// exchange puts another binary into the place of the one that is there, by rename.
func (r *replaceable) exchange(version string) {
	r.t.Helper()
	r.shell(`mkdir -p "$1"; cp "$2" "$1/indrik.new"; mv "$1/indrik.new" "$1/indrik"`, r.dir()+"/bin", buildsAt+version+"/indrik")
	r.binary = version
}

// upgrade does the same by a package manager and a package made on the way.
func (r *replaceable) upgrade(version string) {
	r.t.Helper()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		r.t.Log("no dpkg here: the binary is replaced by a rename")
		r.exchange(version)
		return
	}
	r.shell(`at=/run/package-$1; mkdir -p "$at/DEBIAN" "$at$2"
cp "$3/indrik" "$at$2/indrik"
printf 'Package: indrik-lab\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: a binary\n' "$1" >"$at/DEBIAN/control"
dpkg-deb -Znone --root-owner-group --build "$at" "$at.deb"
dpkg -i "$at.deb"
rm -r "$at" "$at.deb"`, version, r.dir()+"/bin", buildsAt+version)
	r.binary = version
}

// newCode writes another version of the application.
func (r *replaceable) newCode() {
	r.t.Helper()
	r.code++
	r.write("version.py", fmt.Sprintf("VERSION = 'code %d'\n", r.code))
}

func (r *replaceable) dir() string { return "/srv/" + r.name }

func (r *replaceable) write(name, text string) {
	r.t.Helper()
	r.must(r.lab.WriteFile(r.dir()+"/"+name, []byte(text), 0o644))
}

// configure writes the configuration with more lines.
func (r *replaceable) configure(more string) {
	r.t.Helper()
	r.must(r.lab.WriteFile("/etc/indrik/"+r.name+".toml", fmt.Appendf(nil, "python = '%s/bin/python'\n%s%s", venv, r.toml, more), 0o644))
}

func (r *replaceable) shell(script string, args ...string) {
	r.t.Helper()
	_, err := r.lab.Run(r.limit(), append([]string{"sh", "-euc", script, "sh"}, args...)...)
	r.must(err)
}

// reload must succeed, and what is on disk must serve then.
func (r *replaceable) reload() {
	r.t.Helper()
	r.systemctl("reload", r.unit())
	r.serves()
}

// serves waits until the binary and the code that are on disk answer. For some
// milliseconds after a reload a gateway that leaves may accept a connection still,
// and its workers answer; nobody may get anything but an answer.
func (r *replaceable) serves() {
	r.t.Helper()
	for path, want := range map[string]string{"/software": "indrik/" + r.binary, "/version": fmt.Sprintf("code %d", r.code)} {
		limit := time.Now().Add(stepLimit)
		for got := ""; got != want; {
			var err error
			if got, err = r.lab.fetch(r.limit(), "unix", r.path(), path); err != nil {
				r.t.Fatal(err)
			}
			if time.Now().After(limit) {
				r.t.Fatalf("GET %s: got %q, want %q", path, got, want)
			}
		}
	}
}

// other is the version that is not installed.
func (r *replaceable) other() string {
	if r.binary == firstVersion {
		return secondVersion
	}
	return firstVersion
}

// A breakage makes the next reload fail with a reason that contains want.
type breakage struct {
	name, want string
	make       func(r *replaceable)
}

var breakages = []breakage{
	{"application", "No module named 'no_such_module'", func(r *replaceable) { r.write("version.py", "import no_such_module\n") }},
	{"configuration", "timeout", func(r *replaceable) { r.configure("timeout = -1\n") }},
	{"binary", "not today", func(r *replaceable) { r.fake("echo not today >&2\nexit 1\n") }},
	{"take-over", "no-such-option", func(r *replaceable) {
		good := buildsAt + r.other() + "/indrik"
		// Not by a shell, which would leave its descriptor of the script to the next image.
		r.program(fmt.Sprintf("#!/usr/bin/python3 -SE\nimport os, sys\nmore = [] if sys.argv[1] == 'preflight' else ['--no-such-option']\n"+
			"os.execv(%q, ['indrik', *more, *sys.argv[1:]])\n", good))
	}},
	{"worker", "status 7", func(r *replaceable) { r.write("version.py", "import os\nos._exit(7)\n") }},
}

// fake puts a shell script into the place of the binary.
func (r *replaceable) fake(script string) {
	r.t.Helper()
	r.program("#!/bin/sh\n" + script)
}

func (r *replaceable) program(text string) {
	r.t.Helper()
	r.must(r.lab.WriteFile(r.dir()+"/bin/indrik", []byte(text), 0o755))
}

// refuses breaks something, wants the reload to fail with the reason and the service
// to go on as it is, and mends it.
func (r *replaceable) refuses(b breakage) {
	r.t.Helper()
	b.make(r)
	var failed *CommandError
	if _, err := r.lab.Run(r.limit(), "systemctl", "reload", r.unit()); !errors.As(err, &failed) || failed.Status == 0 {
		r.t.Errorf("systemctl reload with a broken %s: got %v, want a failure", b.name, err)
	}
	if words := r.property("StatusText"); !strings.Contains(words, "reload failed: ") || !strings.Contains(words, b.want) {
		r.t.Errorf("with a broken %s systemctl status says %q, want %q in it", b.name, words, b.want)
	}
	r.serves()
	r.configure("")
	r.exchange(r.binary)
	r.write("version.py", fmt.Sprintf("VERSION = 'code %d'\n", r.code))
}

// Reloads with another binary, other code and other settings, and ones that fail,
// one after the other under load: no client notices any of them.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:8120"
	r := replace(t, "loaded", address, "wsgi_app = 'reloaded:app'\nworkers = 2\nkeepalive = 3000\ngraceful_timeout = 20\n")
	r.systemctl("start", r.socket())
	r.serves()
	master := r.mainPID()
	l := newLoad(t, r.lab, address)
	idle := l.idle(40)
	r.exchange(r.other())
	r.reload()
	before := r.measure(master, measure{}) // the first exec leaves what later ones need too
	l.clients(3, kept())
	l.clients(3, single())
	l.clients(6, pausing())
	l.clients(1, upload())
	l.flows()
	tally := map[string]int{}
	for n := range *reloads {
		if n%5 == 3 {
			b := breakages[n/5%len(breakages)]
			r.refuses(b)
			tally["refused: "+b.name]++
		}
		tally[r.change(n)]++
		r.reload()
	}
	l.flows()
	l.end()
	after := r.measure(master, before)
	t.Logf("%d reloads: %v; before: %v; after: %v", *reloads, tally, before, after)
	idle.end(l)
	r.wantProperty("MainPID", strconv.Itoa(master))
	r.wantProperty("NRestarts", "0")
	r.systemctl("stop", r.socket(), r.unit())
	r.wantProperty("Result", "success")
}

// change makes the nth change: of ten, four renames, two packages, one setting of the
// gateway and three of the code alone.
func (r *replaceable) change(n int) string {
	r.t.Helper()
	switch n % 10 {
	case 0, 3, 5, 8:
		r.exchange(r.other())
		return "binary"
	case 1, 6:
		r.newCode()
		r.upgrade(r.other())
		return "package"
	case 4:
		r.configure(fmt.Sprintf("limit_request_fields = %d\n", 100-n))
		return "setting of the gateway"
	}
	r.newCode()
	return "code"
}

// measure is what a service has of the machine.
type measure struct {
	processes, descriptors int
	memory                 int // proportional set size of all processes, KiB
	// kinds counts the descriptors of each program by what they are.
	kinds map[string]int
}

func (m measure) String() string {
	return fmt.Sprintf("%d processes, %d descriptors, %d KiB", m.processes, m.descriptors, m.memory)
}

// measure waits until the service is as calm as it was, and fails if it has more of
// the machine then. A zero measure sets the standard, once the processes are two
// workers, mold, gateway and master, and nothing has changed for a second: a mold
// imports the rest, and the master keeps what it compiled, after workers serve.
func (r *replaceable) measure(master int, before measure) (now measure) {
	r.t.Helper()
	const most, still = 5, 10
	same := 0
	for limit := time.Now().Add(stepLimit); ; time.Sleep(100 * time.Millisecond) { // the kernel has no event for it
		last := now
		now = r.look(master)
		same++
		if !maps.Equal(now.kinds, last.kinds) || now.memory > last.memory*102/100 {
			same = 0
		}
		calm := now.processes == most
		if before.processes != 0 {
			calm = calm && now.descriptors <= before.descriptors && now.memory <= before.memory*5/4
		} else {
			calm = calm && same >= still
		}
		if calm {
			return now
		}
		if time.Now().After(limit) {
			r.t.Errorf("the service has %v, and had %v: %v, and had %v", now, before, now.kinds, before.kinds)
			return now
		}
	}
}

func (r *replaceable) look(master int) (now measure) {
	now.kinds = map[string]int{}
	children, _ := r.lab.Run(r.limit(), "pgrep", "--parent", strconv.Itoa(master)) // 1: none
	for _, pid := range append(strings.Fields(children), strconv.Itoa(master)) {
		proc := r.lab.path("/proc/" + pid)
		open, err := os.ReadDir(proc + "/fd")
		if err != nil {
			continue // it ended
		}
		now.processes++
		now.descriptors += len(open)
		program, _ := os.ReadFile(proc + "/cmdline") // ended meanwhile: nothing
		for _, fd := range open {
			to, _ := os.Readlink(proc + "/fd/" + fd.Name())
			kind, _, _ := strings.Cut(to, ":[")
			now.kinds[fmt.Sprintf("%.24q %s", program, kind)]++
		}
		text, _ := os.ReadFile(proc + "/smaps_rollup") // ended meanwhile: nothing
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kib, _ := strconv.Atoi(strings.Fields(rest)[0]) // the kernel writes a number
				now.memory += kib
			}
		}
	}
	return now
}

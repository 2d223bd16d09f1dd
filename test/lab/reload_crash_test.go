package lab

import (
	"fmt"
	"strconv"
	"testing"
)

// A new image that crashes outright takes the service with it, where there is nobody
// any more who could go back: before it has taken the state over, and after it. The
// reload fails, systemd starts the service again, and clients waited in its socket.
// What it survives without that is in test/e2e (TestKillsAroundAnExec).
func TestNewImageThatCrashes(t *testing.T) {
	for name, crash := range map[string]func(r *replaceable, from string){
		"before": func(r *replaceable, _ string) {
			r.program(fmt.Sprintf("#!/usr/bin/python3 -SE\nimport os, sys\nif 'INDRIK_RESUME' in os.environ:\n    os.kill(os.getpid(), 9)\n"+
				"os.execv(%q, ['indrik', *sys.argv[1:]])\n", buildsAt+r.other()+"/indrik"))
		},
		"after": func(r *replaceable, from string) {
			r.exchange(r.other())
			r.write("version.py", "import time\ntime.sleep(3)\nVERSION = 'code 1'\n")
			go func() {
				if _, err := r.lab.Await(r.limit(), r.unit(), from, said("binary exchanged")); err != nil {
					r.t.Error(err)
				} else if _, err = r.lab.Run(r.limit(), "sh", "-c", `kill -KILL "$(systemctl show --value --property=MainPID "$1")"`, "sh", r.unit()); err != nil {
					r.t.Error(err)
				}
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := replace(t, "crash-"+name, map[string]string{"before": "127.0.0.1:8126", "after": "127.0.0.1:8127"}[name], "wsgi_app = 'reloaded:app'\nworkers = 1\n")
			r.systemctl("start", r.socket())
			r.serves()
			master := r.mainPID()
			from, err := r.lab.Cursor(r.limit())
			r.must(err)
			crash(r, from)
			if _, err := r.lab.Run(r.limit(), "systemctl", "reload", r.unit()); err == nil {
				t.Error("systemctl reload succeeded with an image that crashed")
			}
			r.get("/", "hello") // it waits for the next start
			if now := r.mainPID(); now == master {
				t.Errorf("the master is still pid %s", strconv.Itoa(master))
			}
			r.wantProperty("NRestarts", "1")
			r.exchange(r.other())
			r.newCode()
			r.reload()
		})
	}
}

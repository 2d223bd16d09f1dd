package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stranger is a program of other people.
type stranger struct {
	name    string
	needs   string
	files   map[string]string
	options []string
	command []string
	cut     int // connections that its way of leaving may cost
	// nonblocking: its socket is as with NonBlocking=yes in the unit.
	nonblocking bool
}

// strangers are run as they are. In their texts DIR, PORT, PYTHON and SELF are filled in.
func strangers() []stranger {
	return []stranger{
		{
			name: "node", needs: "node",
			files: map[string]string{"app.js": `
const server = require("http").createServer((q, r) => r.end("hello"));
server.listen({fd: 3});
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`},
			command: []string{"node", "app.js"},
		},
		{
			// It closes connections that it has accepted and not read yet.
			name: "uvicorn", cut: 4,
			files: map[string]string{"app.py": `
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
`},
			command: []string{"PYTHON", "-m", "uvicorn", "app:app", "--fd", "3", "--lifespan", "off", "--log-level", "error"},
		},
		{
			name: "nginx", needs: "nginx",
			files: map[string]string{"nginx.conf": `
daemon off; worker_processes 1; pid DIR/nginx-$INDRIK.pid; error_log stderr crit;
events {}
http {
  access_log off;
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  server { listen PORT; location / { return 200 "hello"; } }
}
`},
			options: []string{"--stop-signal", "QUIT", "--env", "NGINX=3;"}, nonblocking: true,
			command: []string{"nginx", "-c", "DIR/nginx.conf"},
		},
		{
			name: "shell", needs: "systemd-notify",
			files: map[string]string{"run": `#!/bin/sh
# Prepare something, say so by another program, become the server.
systemd-notify --status="warming up"
sh -c 'export LISTEN_PID=$$; exec "$@"' sh "$@" &
server=$!
trap 'kill -TERM $server' TERM
systemd-notify --ready
wait $server
wait $server
`},
			command: []string{"./run", "SELF", "silent"}, options: []string{"--env", roleEnv + "=" + roleProgram},
		},
	}
}

// need skips the test where the program is not there.
func (c stranger) need(t *testing.T) {
	t.Helper()
	if c.needs == "" {
		return
	}
	if _, err := exec.LookPath(c.needs); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; run test/install", err)
		}
		t.Skipf("%v; run test/install", err)
	}
}

// Programs of other people take over from each other under load.
func TestExecRunsOtherPeoplesPrograms(t *testing.T) {
	t.Parallel()
	for _, c := range strangers() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.need(t)
			dir, file, address := t.TempDir(), (*os.File)(nil), ""
			file, address = listening(t, "tcp", "127.0.0.1:0")
			if c.nonblocking {
				file = nonblocking(t, file)
			}
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			fill := strings.NewReplacer("DIR", dir, "PORT", address, "PYTHON", world.python, "SELF", exe).Replace
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(fill(text)), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			line := append([]string{world.binary, "exec", "-w", "2"}, c.options...)
			line = append(line, "--")
			for _, word := range c.command {
				line = append(line, fill(word))
			}
			s := serve(t, launch{program: line, dir: dir, sockets: []*os.File{file}})
			l := s.loadWith(2, "/", oneShot)
			l.flows()
			before := s.running(2)
			s.reload(1)
			l.flows()
			if now := s.running(2); slices.Contains(now, before[0]) || slices.Contains(now, before[1]) {
				t.Errorf("after a reload: %v, before %v", now, before)
			}
			l.end().atMost(t, map[string]int{outcomeCut: c.cut})
			s.stop()
		})
	}
}

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// plan is what the command line asks for.
type plan struct {
	binary string // indrik
	python string // interpreter of the applications
	app    string // testdata/chaos.py

	seed    uint64        // of the first round; the next has the next
	rounds  int           // 0: as many as fit into limit
	limit   time.Duration // no round begins after it
	load    time.Duration // of each round, beside its start and its end
	class   string        // of all rounds; "" is another one in each
	only    string        // faults whose names have a match of this expression
	verbose bool          // say each fault as it is injected
	racy    bool          // the binary has the race detector, and uses more memory
	out     io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// command reads the command line and does what it says.
func command(ctx context.Context) error {
	p := plan{out: os.Stdout}
	flag.StringVar(&p.binary, "binary", "", "indrik to test; one is built without it")
	flag.StringVar(&p.python, "python", "", "interpreter for the applications (that of .venv, else python3)")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().Unix()), "of the first round; the next has the next")
	flag.IntVar(&p.rounds, "rounds", 0, "how many; 0 is as many as fit into -for")
	flag.DurationVar(&p.limit, "for", 5*time.Minute, "begin no round after this time")
	flag.DurationVar(&p.load, "round", 30*time.Second, "how long a round is under load")
	flag.StringVar(&p.class, "class", "", "worker class of all rounds; without it, another one in each")
	flag.StringVar(&p.only, "faults", "", "a regular expression; only faults whose names it matches")
	flag.BoolVar(&p.verbose, "v", false, "say each fault as it is injected")
	flag.BoolVar(&p.racy, "race", false, "build indrik with the race detector")
	flag.Parse()
	root, err := findRoot()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "indrik-chaos-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left in the temporary directory harms nobody
	if err := p.prepare(root, dir); err != nil {
		return err
	}
	return p.run(ctx)
}

// findRoot is the directory of go.mod, from the working directory upwards.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", fmt.Errorf("run this inside the repository")
		}
	}
}

// prepare builds and finds what the plan does not name.
func (p *plan) prepare(root, dir string) error {
	p.app = filepath.Join(root, "test/chaos/testdata/chaos.py")
	if p.binary == "" {
		p.binary = filepath.Join(dir, "indrik")
		build := []string{"build", "-o", p.binary}
		if p.racy {
			build = append(build, "-race")
		}
		cmd := exec.Command("go", append(build, "./cmd/indrik")...)
		cmd.Dir, cmd.Stderr = root, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build indrik: %w", err)
		}
	}
	if p.python == "" {
		p.python = filepath.Join(root, ".venv/bin/python")
		if _, err := os.Stat(p.python); err != nil {
			p.python = "python3"
		}
	}
	path, err := exec.Command(p.python, "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return fmt.Errorf("%s: %w", p.python, err)
	}
	p.python = strings.TrimSpace(string(path))
	return nil
}

// run makes rounds until there have been enough, and prints what came of all.
func (p *plan) run(ctx context.Context) error {
	end := time.Now().Add(p.limit)
	total := newTally()
	for n := 0; (p.rounds == 0 && time.Now().Before(end) || n < p.rounds) && ctx.Err() == nil; n++ {
		r, err := newRound(p, p.seed+uint64(n))
		if err != nil {
			return err
		}
		began := time.Now()
		t := r.run(ctx)
		fmt.Fprintf(p.out, "seed %d: %s, %v: %s\n", r.seed, r.name(), time.Since(began).Round(time.Second), t.line())
		for _, complaint := range t.complaints {
			fmt.Fprintf(p.out, "    FAILED: %s\n", complaint)
		}
		if len(t.complaints) > 0 {
			fmt.Fprintf(p.out, "    its log: %s\n", r.keepLog())
		}
		total.add(t)
		r.clean()
	}
	total.print(p.out)
	if n := len(total.complaints); n > 0 {
		return fmt.Errorf("%d complaints; repeat a round with -rounds 1 -seed", n)
	}
	return nil
}

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// plan is what the command line asks for.
type plan struct {
	network, address string        // for net.Dial
	connections      int           // at a time
	length           time.Duration // of the run
	timeout          time.Duration // for one response
	rate             float64       // requests a second
	slowEvery        int           // one in so many goes to slowPath; 0: none
	path, slowPath   string        // request targets
	calm             time.Duration // after it "calm" is printed and the second phase begins; 0: one phase only
	size             int           // bytes of a WebSocket message
}

// run is main with everything it depends on; it returns the exit status.
func run(args []string, out, errs io.Writer) int {
	err := errors.New("usage: load http|ws [options] ADDRESS")
	if len(args) > 0 {
		var p plan
		if p, err = parse(args[0], args[1:], errs); err == nil {
			var result any
			switch args[0] {
			case "http":
				result, err = loadHTTP(p, out)
			case "ws":
				result, err = loadWebSocket(p)
			}
			if err == nil {
				err = json.NewEncoder(out).Encode(result)
			}
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, "load:", err)
		return 1
	}
	return 0
}

func parse(kind string, args []string, errs io.Writer) (plan, error) {
	p := plan{network: "tcp"}
	flags := flag.NewFlagSet("load "+kind, flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.IntVar(&p.connections, "connections", 32, "connections at a time")
	flags.DurationVar(&p.timeout, "timeout", 10*time.Second, "for one response")
	seconds := flags.Float64("seconds", 5, "length of the run")
	calm := 0.0
	switch kind {
	case "http":
		flags.Float64Var(&p.rate, "rate", 500, "requests a second")
		flags.IntVar(&p.slowEvery, "slow-every", 0, "one request in so many, by chance, goes to -slow-path")
		flags.StringVar(&p.path, "path", "/", "of the requests")
		flags.StringVar(&p.slowPath, "slow-path", "/slow", "of the slow requests")
		flags.Float64Var(&calm, "calm", 0, "seconds after which a line \"calm\" is printed and the second phase begins")
	case "ws":
		flags.StringVar(&p.path, "path", "/", "of the handshake")
		flags.IntVar(&p.size, "size", 64, "bytes of a message, at most 125")
	default:
		return p, fmt.Errorf("%q is neither http nor ws", kind)
	}
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	p.length, p.calm = time.Duration(*seconds*float64(time.Second)), time.Duration(calm*float64(time.Second))
	if p.address = flags.Arg(0); flags.NArg() != 1 || p.address == "" {
		return p, errors.New("one ADDRESS is needed: host:port or unix:PATH")
	}
	if path, ok := strings.CutPrefix(p.address, "unix:"); ok {
		p.network, p.address = "unix", path
	}
	if p.connections < 1 || p.length <= 0 || kind == "http" && p.rate <= 0 || p.size > 125 || p.size < 0 {
		return p, errors.New("-connections, -seconds and -rate must be positive, -size at most 125")
	}
	return p, nil
}

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/indrik/indrik/pool"
)

// Keep two copies of a command alive. One of them is killed; the pool orders
// another in its place. At the end all are asked to leave.
func Example() {
	starts := make(chan pool.SlotID, 16)
	changes := make(chan pool.Change, 16)
	workers, err := pool.New(pool.Config{
		Size:    2,
		Limits:  pool.Limits{Boot: 10 * time.Second, Grace: 5 * time.Second},
		Spawn:   func(slot pool.SlotID) { starts <- slot }, // must not block: starting is done elsewhere
		Changed: func(c pool.Change) { changes <- c },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for slot := range starts {
			child, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{})
			if err != nil {
				workers.SpawnFailed(slot, err)
				continue
			}
			pid := child.Pid
			_ = child.Release() // the pool watches and reaps it; this gives back the descriptor of child
			workers.Spawned(slot, pid)
			workers.Ready(slot, pid) // sleep does not say so itself; a real worker would
		}
	}()
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- workers.Run(ctx) }()

	var victim int
	for idle := 0; idle < 2; {
		if c := <-changes; c.To == pool.Idle {
			victim, idle = c.PID, idle+1
		}
	}
	fmt.Println("two workers are ready")
	if process, err := os.FindProcess(victim); err == nil {
		_ = process.Kill()    // as if it had crashed
		_ = process.Release() // see above
	}
	for replaced := false; !replaced; {
		switch c := <-changes; {
		case c.Death != nil:
			fmt.Println("one left:", c.Death.Cause, c.Death.Exit.Signal)
		case c.To == pool.Idle:
			fmt.Println("another took its place")
			replaced = true
		}
	}
	cancel(errors.New("the example is over"))
	fmt.Println("drained, error:", <-ended)
	close(starts)
	// Output:
	// two workers are ready
	// one left: signalled killed
	// another took its place
	// drained, error: <nil>
}

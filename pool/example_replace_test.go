package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/indrik/indrik/pool"
)

// Replace the only worker without a moment in which there is none: it is asked to
// leave when its successor is ready. The successor comes into another slot.
func ExamplePool_Replace() {
	starts := make(chan pool.SlotID, 16)
	changes := make(chan pool.Change, 16)
	workers, err := pool.New(pool.Config{
		Size:    1,
		Limits:  pool.Limits{Boot: 10 * time.Second, Grace: 5 * time.Second},
		Spawn:   func(slot pool.SlotID) { starts <- slot },
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
			_ = child.Release() // the pool watches and reaps it
			workers.Spawned(slot, pid)
			workers.Ready(slot, pid) // a real worker would say so itself
		}
	}()
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- workers.Run(ctx) }()

	ready := 0
	for left := false; !left; {
		switch c := <-changes; {
		case c.To == pool.Idle:
			ready++
			fmt.Println("ready in slot", c.Slot)
			if ready == 1 {
				workers.Replace(c.Slot, c.PID, "a new certificate")
			}
		case c.Death != nil:
			fmt.Printf("slot %d left (%v, %s) when %d had been ready\n", c.Slot, c.Death.Cause, c.Death.Reason, ready)
			left = true
		}
	}
	cancel(errors.New("the example is over"))
	<-ended
	close(starts)
	// Output:
	// ready in slot 0
	// ready in slot 1
	// slot 0 left (asked, a new certificate) when 2 had been ready
}

package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/indrik/indrik/pool"
)

// Let go of the workers and take them up again, as a process does that executes a new
// build of itself: the State goes through the exec in a file or a pipe, and the workers
// are its children before and after.
func ExampleResume() {
	changes := make(chan pool.Change, 16)
	var workers *pool.Pool
	cfg := pool.Config{
		Size:    1,
		Limits:  pool.Limits{Grace: 5 * time.Second},
		Changed: func(c pool.Change) { changes <- c },
		Spawn: func(slot pool.SlotID) {
			go func() { // it must not block
				child, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{})
				if err != nil {
					workers.SpawnFailed(slot, err)
					return
				}
				pid := child.Pid
				_ = child.Release() // the pool watches and reaps it
				workers.Spawned(slot, pid)
				workers.Ready(slot, pid)
			}()
		},
	}
	workers, err := pool.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- workers.Run(context.Background()) }()
	pid := 0
	for pid == 0 {
		if c := <-changes; c.To == pool.Idle {
			pid = c.PID
		}
	}
	state, err := workers.Suspend()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the first:", <-ended)
	text, _ := json.Marshal(state) // plain data: it cannot fail

	var taken pool.State
	if err := json.Unmarshal(text, &taken); err != nil {
		fmt.Println(err)
		return
	}
	if workers, err = pool.Resume(cfg, taken); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { ended <- workers.Run(ctx) }()
	held := workers.Snapshot()[0]
	fmt.Println("the second holds the same process:", held.PID == pid, "and it is", held.Phase)
	cancel(errors.New("the example is over"))
	fmt.Println("drained, error:", <-ended)
	// Output:
	// the first: pool was suspended
	// the second holds the same process: true and it is idle
	// drained, error: <nil>
}

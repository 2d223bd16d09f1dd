package pool

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// No more than so many workers are on their way at a time, whether ordered or
// starting; each that is ready, or dies, makes room for the next.
func TestWorkersBootSoManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		coming, most := 0, 0
		w := newWorld(t, Config{Size: 7, BootAtOnce: 2, Limits: Limits{Boot: time.Minute}}, func(w *world) {
			w.spawn = func(s SlotID) {
				mu.Lock()
				coming++
				most = max(most, coming)
				mu.Unlock()
				time.AfterFunc(time.Second, func() { // the mold takes a while to fork
					pid := w.birth().pid
					w.Spawned(s, pid)
					time.AfterFunc(2*time.Second, func() { // and the import
						mu.Lock()
						coming--
						mu.Unlock()
						w.Ready(s, pid)
					})
				})
			}
		})
		time.Sleep(20 * time.Second) // made-up time
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if most != 2 {
			t.Errorf("%d workers were on their way at once, want 2", most)
		}
		seconds := []time.Duration{0, 0, 3, 3, 6, 6, 9}
		for i := range seconds {
			seconds[i] *= time.Second
		}
		w.cancel(errors.New("the test is over"))
		if err := <-w.ran; err != nil {
			t.Error(err)
		}
		if got := w.orders(); !slices.Equal(got, seconds) {
			t.Errorf("orders came at %v, want %v", got, seconds)
		}
	})
}

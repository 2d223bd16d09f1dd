package logsink

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reports collects what a writer reports.
type reports struct {
	mu   sync.Mutex
	lost int
	errs []error
}

func (r *reports) add(lost int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost += lost
	r.errs = append(r.errs, err)
}

func (r *reports) all() (int, []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost, r.errs
}

func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) { // files have no event here
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// What logrotate does, while others write: each line is in one of the files, and
// in one only.
func TestNoLineIsLostWhenTheFileIsRotated(t *testing.T) {
	const writers, lines, rotations = 4, 3000, 5
	path := filepath.Join(t.TempDir(), "log")
	file, err := OpenFile(path)
	need(t, err)
	var told reports
	w := NewWriter(file, 64<<20, told.add)
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for j := range lines {
				w.Add(fmt.Appendf(nil, "%d-%d\n", i, j), 1)
				if j%100 == 0 {
					time.Sleep(time.Millisecond) // spread over the rotations
				}
			}
		})
	}
	for i := range rotations {
		time.Sleep(10 * time.Millisecond) // let some lines be written between
		need(t, os.Rename(path, fmt.Sprintf("%s.%d", path, i)))
		w.Reopen()
		eventually(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
	}
	writing.Wait()
	w.Close()
	files, err := filepath.Glob(path + "*")
	need(t, err)
	if len(files) != rotations+1 {
		t.Errorf("got %d files, want %d", len(files), rotations+1)
	}
	seen := map[string]int{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		need(t, err)
		for line := range strings.Lines(string(text)) {
			seen[line]++
		}
	}
	if len(seen) != writers*lines {
		t.Errorf("got %d different lines, want %d", len(seen), writers*lines)
	}
	for line, n := range seen {
		if n != 1 {
			t.Errorf("%q is there %d times", line, n)
		}
	}
	if lost, errs := told.all(); lost > 0 || len(errs) > 0 {
		t.Errorf("reported: %d lost, %v", lost, errs)
	}
}

// A reader that has stopped costs lines, and nothing else.
func TestAStuckReaderStopsNobody(t *testing.T) {
	r, out, err := os.Pipe()
	need(t, err)
	defer out.Close()
	var told reports
	const limit, line = 64 << 10, "a line of 32 bytes, as they are\n"
	w := NewWriter(Borrow(out), limit, told.add)
	const count = 20_000
	begun := time.Now()
	for range count {
		w.Add([]byte(line), 1)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("adding took %v", took)
	}
	var got atomic.Int64
	read := make(chan struct{})
	go func() { // it goes on after all
		defer close(read)
		buffer := make([]byte, 4096)
		for {
			n, err := r.Read(buffer)
			if got.Add(int64(bytes.Count(buffer[:n], newline))); err != nil {
				return
			}
		}
	}()
	w.Close()
	need(t, out.Close())
	<-read
	lost, _ := told.all()
	if lost == 0 || int(got.Load())+lost != count {
		t.Errorf("%d were read and %d reported as lost, want %d together and some lost", got.Load(), lost, count)
	}
	w.Add([]byte(line), 1) // after the end: no panic
}

func TestCloseDoesNotWaitForAStuckReader(t *testing.T) {
	r, out, err := os.Pipe()
	need(t, err)
	defer r.Close()
	defer out.Close()
	w := NewWriter(Borrow(out), 1<<20, func(int, error) {})
	w.Add(bytes.Repeat([]byte("x\n"), 1<<17), 1<<17)
	begun := time.Now()
	w.Close()
	if took := time.Since(begun); took > 3*parting {
		t.Errorf("it took %v", took)
	}
}

func TestALossIsReportedOnce(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	need(t, err)
	defer full.Close()
	var told reports
	w := NewWriter(Borrow(full), 1<<20, told.add)
	for range 100 {
		w.Add([]byte("x\n"), 1)
		time.Sleep(time.Millisecond) // so that they are not one batch
	}
	if _, errs := told.all(); len(errs) != 1 || !errors.Is(errs[0], syscall.ENOSPC) {
		t.Errorf("got the reports %v, want one of ENOSPC", errs)
	}
	w.Close()
	if lost, errs := told.all(); lost != 100 || len(errs) != 2 {
		t.Errorf("got %d lost in %d reports, want 100 in 2", lost, len(errs))
	}
}

// A disk that fills up in the middle of a line, and has room again later.
func TestALineThatWasCutIsEnded(t *testing.T) {
	const room = 4096
	signal.Ignore(syscall.SIGXFSZ)
	path := filepath.Join(t.TempDir(), "log")
	file, err := OpenFile(path)
	need(t, err)
	defer file.Close()
	lost, err := file.Write(bytes.Repeat([]byte("first\n"), room/6)) // leaves 4 bytes
	if lost != 0 || err != nil {
		t.Fatalf("%d lost, %v", lost, err)
	}
	var before syscall.Rlimit
	need(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	need(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: before.Max}))
	lost, err = file.Write([]byte("second\nthird\n"))
	again, err2 := file.Write([]byte("fourth\n"))
	need(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	if lost != 2 || again != 1 || !errors.Is(err, syscall.EFBIG) || err2 == nil {
		t.Errorf("got %d and %d lost (%v, %v), want 2 and 1", lost, again, err, err2)
	}
	if lost, err := file.Write([]byte("fifth\n")); lost != 0 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	text, err := os.ReadFile(path)
	need(t, err)
	if !strings.HasSuffix(string(text), "first\nseco\nfifth\n") {
		t.Errorf("the file ends %q", text[len(text)-20:])
	}
}

func TestReopenThatFailsKeepsTheFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	need(t, os.Mkdir(dir, 0o755))
	path := filepath.Join(dir, "log")
	file, err := OpenFile(path)
	need(t, err)
	var told reports
	w := NewWriter(file, 1<<20, told.add)
	need(t, os.Rename(dir, dir+".gone"))
	w.Reopen()
	eventually(t, "a report", func() bool { _, errs := told.all(); return len(errs) == 1 })
	w.Add([]byte("line\n"), 1)
	w.Close()
	text, err := os.ReadFile(filepath.Join(dir+".gone", "log"))
	if err != nil || string(text) != "line\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestANilWriterTakesEverything(t *testing.T) {
	var w *Writer
	w.Add([]byte("x\n"), 1)
	w.Reopen()
	w.Close()
}

func TestOpenFileAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	need(t, os.WriteFile(path, []byte("old\n"), 0o644))
	f, err := OpenFile(path)
	need(t, err)
	_, err = f.Write([]byte("new\n"))
	need(t, errors.Join(err, f.Close()))
	if text, _ := os.ReadFile(path); string(text) != "old\nnew\n" {
		t.Errorf("got %q", text)
	}
	if _, err := OpenFile(filepath.Join(path, "below")); err == nil {
		t.Error("a file below a file was opened")
	}
}

package proc

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Our own process has at least the memory that we touch.
func TestWeightOfAProcess(t *testing.T) {
	t.Parallel()
	const much = 32 << 20
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, much)
	for i := range block {
		block[i] = 1
	}
	until := time.Now().Add(time.Minute)
	for now := before; now == before; {
		if now, err = CPU(os.Getpid()); err != nil || time.Now().After(until) {
			t.Fatalf("we have worked, and used no time: %v, %v", now, err)
		}
	}
	if size, own, err := Weigh(os.Getpid()); err != nil || own || size < much {
		t.Errorf("got %d bytes, own only: %v, %v; want %d at least", size, own, err, much)
	}
	if m, err := MemoryOf(os.Getpid()); err != nil || m.Own < much || m.Share < m.Own {
		t.Errorf("got %+v, %v; want %d at least of its own", m, err, much)
	}
	if block[len(block)-1] != 1 {
		t.Error("the block is gone") // and so it is kept until here
	}
	const nobody = 1 << 22 // above every pid
	if _, _, err := Weigh(nobody); err == nil {
		t.Error("a process that is not there has a weight")
	}
	if _, err := CPU(nobody); err == nil {
		t.Error("a process that is not there has used time")
	}
}

func TestDescends(t *testing.T) {
	t.Parallel()
	self := os.Getpid()
	if !Descends(self, self) || !Descends(self, os.Getppid()) {
		t.Error("we do not descend from ourselves, or from who started us")
	}
	if Descends(os.Getppid(), self) || Descends(1<<23, self) {
		t.Error("who started us, or nobody, descends from us")
	}
}

// The clock of a process and what /proc says of it are the same time.
func TestTheClockOfAProcess(t *testing.T) {
	t.Parallel()
	child := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; exec sleep 60")
	done, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	if _, err := done.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	used, err := clock(child.Process.Pid)
	if err != nil {
		t.Skip("this kernel does not show the clocks of others: ", err)
	}
	text, err := Stat(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	fields := statFields(text)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	ticks := time.Duration(user+system) * time.Second / clockTicks
	if used < 10*time.Millisecond || (used-ticks).Abs() > 100*time.Millisecond+ticks/10 {
		t.Errorf("its clock says %v, /proc %v", used, ticks)
	}
	for _, nobody := range []int{0, -1, 1 << 22} {
		if got, err := clock(nobody); err == nil {
			t.Errorf("process %d has used %v", nobody, got)
		}
	}
}

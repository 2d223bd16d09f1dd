package gateway

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A gateway may start at a moment when the disk is full. It must not refuse every upload
// for the rest of its life.
func TestALimitTakenFromAFullDiskIsRaisedLater(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("test", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small disk takes root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBudget(0, dir)
	b.pause = 0
	if b.reserve(4096) {
		t.Error("4 KiB were given of a full disk")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if !b.reserve(1 << 20) {
		t.Error("1 MiB was refused of a disk with 4 MiB free")
	}
	if b.reserve(3 << 20) {
		t.Error("more than half of the disk was given")
	}
	if n := b.used.Load(); n != 1<<20 {
		t.Errorf("%d bytes are counted as used, want 1 MiB", n)
	}
}

// A limit that was given stays what it is, whatever is free.
func TestALimitThatWasGivenStays(t *testing.T) {
	b := newBudget(1000, t.TempDir())
	if !b.reserve(1000) || b.reserve(1) {
		t.Error("a limit of 1000 bytes is to allow 1000, and not one more")
	}
}

package python

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Two builds of one source must hold the same archive, or nobody can tell what changed.
func TestZipIsTheSameEveryTime(t *testing.T) {
	first, err := Zip()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Zip()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("two archives of the same sources differ")
	}
}

// A module that the pattern of the embedding misses would be missed at a user's only.
func TestZipHoldsEveryModule(t *testing.T) {
	want := map[string]bool{"__main__.py": true}
	entries, err := os.ReadDir("indrik")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".py") {
			want["indrik/"+e.Name()] = true
		}
	}
	archive, err := Zip()
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		if !want[f.Name] {
			t.Errorf("the archive holds %s, or holds it twice", f.Name)
		}
		delete(want, f.Name)
	}
	for name := range want {
		t.Errorf("the archive lacks %s", name)
	}
}

// The way the master starts it: the archive in a memfd at descriptor 4, the channel at 3.
// A master that is gone before its first order is the order to leave, with status 0.
func TestMoldRunsFromMemory(t *testing.T) {
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	ours, theirs := socketPair(t)
	cmd := exec.Command(interpreter, "/proc/self/fd/4", "--channel", "3")
	cmd.ExtraFiles = []*os.File{theirs, memory(t)}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	_ = ours.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("mold ended with %v, want status 0", err)
	}
	if said.Len() > 0 {
		t.Errorf("mold said:\n%s", said.String())
	}
}

func socketPair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() }) // closed already when all went well
	return ours, theirs
}

func memory(t *testing.T) *os.File {
	t.Helper()
	archive, err := Zip()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("indrik.zip", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "indrik.zip")
	t.Cleanup(func() { _ = f.Close() })
	if _, err := io.Copy(f, bytes.NewReader(archive)); err != nil {
		t.Fatal(err)
	}
	return f
}

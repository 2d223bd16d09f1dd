package python

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Two builds of one source must hold the same, or nobody can tell what changed; and what was compiled
// of one would not be used by the other.
func TestSourcesAreTheSameEveryTime(t *testing.T) {
	first, err := Sources()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Sources()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the sources differ between two calls")
	}
}

// A module that the pattern of the embedding misses would be missed at a user's only. Python itself reads what we
// write, and must find each file as it is.
func TestSourcesHoldEveryModule(t *testing.T) {
	data, err := Sources()
	if err != nil {
		t.Fatal(err)
	}
	const look = `
import marshal, pathlib, sys
digest, sources = marshal.loads(sys.stdin.buffer.read())
want = {"indrik" if path.stem == "__init__" else f"indrik.{path.stem}": path.read_bytes()
        for path in pathlib.Path("indrik").glob("*.py") if path.stem != "boot"}
assert len(digest) == 16, digest
assert sources == want, sources.keys() ^ want.keys()
`
	cmd := exec.Command(interpreter(t), "-c", look)
	cmd.Stdin = bytes.NewReader(data)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// The way the master starts it: the program in a memfd at descriptor 4, its sources at 5, the channel at 3.
// A master that is gone before its first order is the order to leave, with status 0.
func TestMoldRunsFromMemory(t *testing.T) {
	boot, err := Boot()
	if err != nil {
		t.Fatal(err)
	}
	data, err := Sources()
	if err != nil {
		t.Fatal(err)
	}
	args := Arguments(interpreter(t), false)
	ours, theirs := socketPair(t)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.ExtraFiles = []*os.File{theirs, memory(t, boot), memory(t, data)}
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

func interpreter(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	return path
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

func memory(t *testing.T, data []byte) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("indrik", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "indrik")
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

package testproc

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main(m, Parts{
		"says-and-leaves": func() int {
			_, _ = os.Stdout.WriteString("spoken\n")
			return 7
		},
		"writes-to-file": func() int {
			_, _ = File(0).WriteString("written")
			return 0
		},
		"stays": func() int { select {} },
		"forks-and-stays": func() int {
			file := File(0)
			child, err := Fork("holds-file", file)
			if err != nil {
				return 1
			}
			_ = child.Release() // it is the life line's business now
			_ = file.Close()    // the child has its own
			select {}
		},
		"holds-file": func() int {
			_, _ = File(0).WriteString("here")
			select {}
		},
	})
}

func TestAPartsStatusAndWordsArrive(t *testing.T) {
	said := new(record)
	cmd, line, err := begin("says-and-leaves", said)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = line.Close() }()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("got %v, want exit status 7", err)
	}
	if got := said.String(); got != "spoken\n" {
		t.Errorf("said %q, want %q", got, "spoken\n")
	}
}

func TestAPartIsGivenItsFiles(t *testing.T) {
	r, w := pipe(t)
	Start(t, "writes-to-file", w)
	_ = w.Close() // the child has its own
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "written" {
		t.Errorf("got %q, %v, want %q", got, err, "written")
	}
}

// A test binary that is killed must not leave its parts behind.
func TestAPartEndsWithItsLifeLine(t *testing.T) {
	cmd, line, err := begin("stays", new(record))
	if err != nil {
		t.Fatal(err)
	}
	_ = line.Close() // what the kernel does when the test binary is killed
	var exit *exec.ExitError
	err = cmd.Wait()
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("got %v, want death by SIGKILL", err)
	}
}

// What a part starts ends with the test too: the end of the pipe it holds is
// the proof.
func TestTheEndOfTheTestReachesGrandchildren(t *testing.T) {
	r, w := pipe(t)
	t.Run("inner", func(t *testing.T) {
		Start(t, "forks-and-stays", w)
		_ = w.Close() // the child has its own
		if _, err := io.ReadFull(r, make([]byte, len("here"))); err != nil {
			t.Fatal(err)
		}
	})
	if err := r.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read after the test: got %v, want EOF", err)
	}
}

func TestAPartThatNobodyPlaysIsFound(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(playedEnv, dir)
	if err := played("b"); err != nil {
		t.Fatal(err)
	}
	got := unplayed(dir, Parts{"c": nil, "b": nil, "a": nil})
	if want := []string{"a", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A part that is named twice in the environment would play itself again and
// again, each time in one more process.
func TestTheEnvironmentNamesOnePart(t *testing.T) {
	t.Setenv(partEnv, "outer")
	var got []string
	for _, entry := range environ("inner") {
		if strings.HasPrefix(entry, partEnv+"=") {
			got = append(got, entry)
		}
	}
	if want := []string{partEnv + "=inner"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnUnknownPartIsAnError(t *testing.T) {
	if got := play("nobody", Parts{}); got != lost {
		t.Errorf("got status %d, want %d", got, lost)
	}
}

func TestWithoutMainNothingIsPlayed(t *testing.T) {
	t.Setenv(playedEnv, "")
	if _, err := TryStart(t, "stays"); err == nil || !strings.Contains(err.Error(), "testproc.Main") {
		t.Errorf("got %v, want an error that names testproc.Main", err)
	}
}

func TestTheRecordIsBounded(t *testing.T) {
	r := new(record)
	for range 3 {
		if n, err := r.Write(make([]byte, recordLimit/2+1)); n != recordLimit/2+1 || err != nil {
			t.Fatalf("write: got %d, %v", n, err)
		}
	}
	if got := len(r.String()); got != recordLimit {
		t.Errorf("kept %d bytes, want %d", got, recordLimit)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close() // closing twice is harmless
		_ = w.Close()
	})
	return r, w
}

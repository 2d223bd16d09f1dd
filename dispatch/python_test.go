package dispatch

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// python prepares a run of python3 with the given arguments, for a minute at most.
// Without one on PATH the test is skipped, but not where everything must run.
func python(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must test against CPython: %v", err)
		}
		t.Skipf("SKIPPED, agreement with CPython is not tested: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel) // after the clean-ups that end the process
	return exec.CommandContext(ctx, path, args...)
}

// A cpython is a Python process that runs testdata/agree.py.
type cpython struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func startCPython(t *testing.T) *cpython {
	t.Helper()
	cmd := python(t, "testdata/agree.py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // end of file is its order to leave
		if err := cmd.Wait(); err != nil || complaints.Len() > 0 {
			t.Errorf("python ended: %v\n%s", err, complaints.String())
		}
	})
	return &cpython{t: t, in: in, out: bufio.NewReader(out)}
}

func (p *cpython) order(kind byte, content []byte) {
	p.t.Helper()
	frame := binary.LittleEndian.AppendUint32(nil, uint32(1+len(content)))
	frame = append(append(frame, kind), content...)
	if _, err := p.in.Write(frame); err != nil {
		p.t.Fatal(err)
	}
}

func (p *cpython) frame() []byte {
	p.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(p.out, head[:]); err != nil {
		p.t.Fatal(err)
	}
	frame := make([]byte, binary.LittleEndian.Uint32(head[:]))
	if _, err := io.ReadFull(p.out, frame); err != nil {
		p.t.Fatal(err)
	}
	return frame
}

// checkDumps reads what Python dumped and compares it with Python's own account.
func (p *cpython) checkDumps(text string) {
	p.t.Helper()
	for i := range 10 {
		data := p.frame()
		want := text
		if i >= 5 {
			want = "(" + text + ",[" + text + "]," + text + ")"
		}
		v, err := Unmarshal(data)
		if err != nil {
			p.t.Fatalf("version %d: Unmarshal(%q): %v", i%5, data, err)
		}
		if got := canon(v); got != want {
			p.t.Fatalf("version %d: %q\nread as %s\nwant    %s", i%5, data, got, want)
		}
		if err := skipWhole(data); err != nil {
			p.t.Fatalf("version %d: skipping %q: %v", i%5, data, err)
		}
	}
}

// canon is canon of agree.py.
func canon(v any) string {
	switch v := v.(type) {
	case nil:
		return "N"
	case bool:
		return map[bool]string{true: "T", false: "F"}[v]
	case int64:
		return "i" + strconv.FormatInt(v, 10)
	case []byte:
		return "b" + hex.EncodeToString(v)
	case string:
		return "s" + hex.EncodeToString([]byte(v))
	case Tuple:
		return "(" + canonItems(v) + ")"
	case List:
		return "[" + canonItems(v) + "]"
	case Dict:
		var pairs []string
		for _, key := range slices.Collect(maps.Keys(v)) {
			pairs = append(pairs, canon(key)+":"+canon(v[key]))
		}
		slices.Sort(pairs)
		return "{" + strings.Join(pairs, ",") + "}"
	}
	panic(fmt.Sprintf("%T", v))
}

func canonItems(items []any) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = canon(item)
	}
	return strings.Join(texts, ",")
}

// randomValue makes a value at most so deep.
func randomValue(rnd *rand.Rand, height int) any {
	if height > 0 && rnd.IntN(2) == 0 {
		items := make([]any, rnd.IntN(6))
		for i := range items {
			items[i] = randomValue(rnd, height-1)
		}
		switch rnd.IntN(3) {
		case 0:
			return Tuple(items)
		case 1:
			return List(items)
		}
		d := Dict{}
		for _, item := range items {
			d[randomText(rnd)] = item
		}
		return d
	}
	switch rnd.IntN(6) {
	case 0:
		return []any{nil, true, false}[rnd.IntN(3)]
	case 1:
		return int64(rnd.Uint64()) >> rnd.IntN(64)
	case 2:
		b := make([]byte, []int{0, 1, 5, 9, 20, 255, 256, 1000}[rnd.IntN(8)])
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	return randomText(rnd)
}

func randomText(rnd *rand.Rand) string {
	letters := [][]string{
		{"a", "Z", " ", "/"},
		{"\x00", "\x7f", "é", "\u0080", "ÿ"},
		{"Ā", "€", "\ud7ff", "\ue000", "\uffff"},
		{"\U00010000", "\U0001f600", "\U0010ffff"},
		{"\xed\xa0\x80", "\xed\xb3\xbf", "\xed\xbf\xbf", "x"},
	}
	set := letters[rnd.IntN(len(letters))]
	var b strings.Builder
	for range []int{0, 1, 3, 7, 7, 20, 20, 255, 256, 300}[rnd.IntN(10)] {
		b.WriteString(set[rnd.IntN(len(set))])
	}
	return b.String()
}

// What Go writes is to Python the value that was meant, and what Python then
// writes, in every version and with shared objects, is to Go that value again.
func TestPythonAgreesAboutValuesMadeInGo(t *testing.T) {
	t.Parallel()
	py := startCPython(t)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	for i := range 2000 {
		v := randomValue(rnd, 4)
		data, err := Marshal(v)
		if err != nil {
			t.Fatalf("seed %d, value %d: Marshal(%#v): %v", seed, i, v, err)
		}
		py.order('L', data)
		text := string(py.frame())
		if want := canon(v); text != want {
			t.Fatalf("seed %d, value %d: %q\nto Python %s\nwant      %s", seed, i, data, text, want)
		}
		py.checkDumps(text)
	}
}

// What Python writes, with interned strings and objects that have several owners,
// is to Go the value that was meant.
func TestPythonAgreesAboutValuesMadeInPython(t *testing.T) {
	t.Parallel()
	py := startCPython(t)
	seed := rand.Uint64()
	for i := range uint64(2000) {
		py.order('R', strconv.AppendUint(nil, seed+i, 10))
		py.checkDumps(string(py.frame()))
		if t.Failed() {
			t.Fatalf("seed %d", seed+i)
		}
	}
}

// The same for the keys and values that the gateway appends to an environ.
func TestPythonAgreesAboutAppended(t *testing.T) {
	t.Parallel()
	py := startCPython(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := strings.Repeat("k", 300)
	b := AppendDict(nil)
	b = AppendLatin1(AppendKey(b, "all"), all)
	b = AppendLatin1(AppendKey(b, long), long)
	b = AppendText(AppendLatin1(b, "text"), "é€")
	b = AppendDictEnd(b)
	want := Dict{"all": "", long: long, "text": "é€"}
	for _, c := range all {
		want["all"] = want["all"].(string) + string(rune(c))
	}
	py.order('L', b)
	text := string(py.frame())
	if text != canon(want) {
		t.Errorf("to Python %s\nwant      %s", text, canon(want))
	}
	py.checkDumps(text)
}

// Everything that marshal can write and that is not of the subset is refused:
// floats, sets, code objects, ints of more than 64 bits, other keys, cycles.
func TestReaderRefusesWhatPythonWritesOutsideTheSubset(t *testing.T) {
	t.Parallel()
	py := startCPython(t)
	py.order('X', nil)
	n, err := strconv.Atoi(string(py.frame()))
	if err != nil || n < 100 {
		t.Fatalf("Python announced %d values, %v", n, err)
	}
	for range n {
		refuse(t, "from Python", string(py.frame()))
	}
}

// A process of another language reads the scoreboard through memoryview.cast, and
// writes a seat's row as a worker does.
func TestPythonSharesTheScoreboard(t *testing.T) {
	t.Parallel()
	const script = `
import mmap, os, time
size = os.fstat(3).st_size
words = memoryview(mmap.mmap(3, size)).cast("Q")
loops, slots, seats = words[2], words[3], words[4]
def row(i):
    return words[8 * i:8 * i + 8]
seat = row(1 + loops + 2 * seats + 1)
print(*words[:8])
print(*row(2))
print(len(words))
seat[4], seat[5] = 4711, 3
seat[0] = time.monotonic_ns()
seat[2], seat[1] = 111, 1 << 61
seat[3] = 12
`
	s, err := NewScoreboard(2, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	loop := s.Loop(1)
	loop.SetBeat(11)
	loop.SetConnections(12)
	loop.SetQueued(13)
	loop.SetDispatched(14)
	loop.SetAnswered(15)
	loop.SetAccepted(16)

	fd, err := dupCloexec(s.FD())
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "scoreboard")
	defer file.Close()
	cmd := python(t, "-c", script)
	cmd.ExtraFiles = []*os.File{file}
	before := Monotonic()
	out, err := cmd.CombinedOutput()
	after := Monotonic()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, out)
	}
	want := fmt.Sprintf("%d 1 2 3 4 0 0 0\n11 12 13 14 15 16 0 0\n%d\n", uint64(scoreboardMagic), 8*(1+2+3*4))
	if string(out) != want {
		t.Errorf("Python sees\n%swant\n%s", out, want)
	}
	seat := s.Seat(2, 1)
	if beat := seat.Beat(); beat <= before || beat >= after {
		t.Errorf("Python's beat %d is not between %d and %d", beat, before, after)
	}
	id, start := seat.Request()
	got := []uint64{id, uint64(start), seat.Answered(), uint64(seat.PID()), seat.Generation()}
	if want := []uint64{1 << 61, 111, 12, 4711, 3}; !reflect.DeepEqual(got, want) {
		t.Errorf("the seat's row reads %v, want %v", got, want)
	}
}

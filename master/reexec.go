package master

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// quietLimit bounds the wait until no process is being forked.
	quietLimit = 5 * time.Second

	// ResumeVariable tells an image which service it is to go on with: the descriptors
	// of the state and of the binary that ran before, then the signals that were
	// received and not obeyed, all with commas between them.
	ResumeVariable = "INDRIK_RESUME"
	// ReturnedVariable is why the image after this one could not.
	ReturnedVariable = "INDRIK_RETURNED"
	// reasonLimit bounds that text, in bytes: one of a panic is long.
	reasonLimit = 16 << 10
)

var (
	// errNoBinary reports that the master was not told where its binary is.
	errNoBinary = errors.New("this master does not know where its binary is")
	// errInterrupted reports that a signal came before the exec, which would have lost it.
	errInterrupted = errors.New("a signal came")
)

// Resume is a service that an image of this process goes on with. It is for one
// goroutine.
type Resume struct {
	state  int    // memfd
	old    int    // O_PATH descriptor of the binary that ran before
	reason string // why the image after this one could not go on; "" if this is that one
	// signals were received before the exec and not obeyed.
	signals []int
	taken   bool
}

// NewResume reads the two variables; nil if they are not set. Whoever calls it gives
// the variables to nobody else.
func NewResume(numbers, reason string) (*Resume, error) {
	if numbers == "" {
		return nil, nil
	}
	var values []int
	for _, text := range strings.Split(numbers, ",") {
		if n, err := strconv.Atoi(text); err == nil {
			values = append(values, n)
		}
	}
	if len(values) < 2 || min(values[0], values[1]) < 3 {
		return nil, fmt.Errorf("%s=%q: want the numbers of two descriptors; only indrik itself sets it", ResumeVariable, numbers)
	}
	unix.CloseOnExec(values[0])
	unix.CloseOnExec(values[1])
	return &Resume{state: values[0], old: values[1], signals: values[2:], reason: reason}, nil
}

// Taken reports that Run has taken the service over, so that the image before cannot
// go on with it any more.
func (r *Resume) Taken() bool { return r.taken }

// Return executes the image before with the same state, because this one cannot go on
// for the given reason. It returns only if that is not possible: the error is the
// reason, with why. An image that was returned to does not return.
//
// cfg is what Run was given, or as much of it as is known: Args, Env, Signals and
// HoldSignals.
func (r *Resume) Return(cfg Config, reason error) error {
	if r.taken || r.reason != "" {
		return reason
	}
	if st, err := readState(r.state); err == nil {
		cfg.Args = st.Args // whoever started this image may have given others
		st.inherit(true)   // else none of them was kept from the next image
		if err := os.Chdir(st.Home); err != nil {
			return fmt.Errorf("%w; return to the image before: %w", reason, err)
		}
	}
	text := strings.ReplaceAll(reason.Error(), "\x00", "")
	text = text[:min(len(text), reasonLimit)]
	if cfg.HoldSignals != nil {
		cfg.HoldSignals()
	}
	numbers := append([]int{r.state, r.old}, r.signals...)
	err := errInterrupted
	for errors.Is(err, errInterrupted) {
		numbers = append(numbers, received(cfg.Signals)...)
		err = execute(fmt.Sprintf("/proc/self/fd/%d", r.old), cfg, numbers, ReturnedVariable+"="+text)
	}
	return fmt.Errorf("%w; return to the image before: %w", reason, err)
}

// execute executes the program at path in place of this one. numbers are what
// [ResumeVariable] holds. It returns only if that fails, with errInterrupted if signals
// came that are not among them.
func execute(path string, cfg Config, numbers []int, more ...string) error {
	for _, fd := range numbers[:2] {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("hand descriptor %d over: %w", fd, err)
		}
	}
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	env := append(slices.Clone(cfg.Env), ResumeVariable+"="+strings.Join(texts, ","))
	env = append(env, more...)
	if cfg.HoldSignals != nil { // again, and at the last moment: threads that came since hold nothing
		defer cfg.HoldSignals()()
	}
	err := errInterrupted
	if len(cfg.Signals) == 0 {
		err = syscall.Exec(path, cfg.Args, env)
	}
	unix.CloseOnExec(numbers[0])
	unix.CloseOnExec(numbers[1])
	return fmt.Errorf("execute %s: %w", path, err)
}

// received takes the signals that have come and were not obeyed.
func received(signals <-chan os.Signal) (numbers []int) {
	for {
		select {
		case sig := <-signals:
			number, ok := sig.(unix.Signal)
			if !ok {
				return numbers // closed: none will come
			}
			numbers = append(numbers, int(number))
		default:
			return numbers
		}
	}
}

// renewed reports that a reload has to execute the binary that is on disk now. One
// that cannot be looked at is no reason not to reload the rest.
func (m *master) renewed() bool {
	if m.path == "" {
		return false
	}
	renewed, err := m.replaced()
	if err != nil {
		m.log.Warn("binary on disk not looked at", "error", err)
	}
	return renewed
}

// quiet reports that nothing is under way that could not be taken over: no order to
// fork without an answer, no look at a worker.
func (m *master) quiet() bool {
	if m.stage != serving || m.early != nil || m.kept != nil || m.farewell.Begun() || m.gen.unresolved() {
		return false
	}
	for _, w := range m.gen.workers {
		if w.asking != nil {
			return false
		}
	}
	return true
}

// exchange executes the binary that is on disk in place of this one. If that cannot be
// done the service goes on here, with the same state by the same way as it would have
// in the new image, and the reload is refused.
func (m *master) exchange() {
	var st *state
	err := m.ensureRoom()
	if err == nil {
		st, err = m.pack()
	}
	if err != nil {
		m.refuse(fmt.Errorf("prepare to execute %s: %w", m.path, err))
		return
	}
	signals, err := m.depart(st)
	r, lost := m.restore(st)
	if lost != nil {
		m.lost = fmt.Errorf("%w; go on without it: %w", err, lost)
		return
	}
	r.commit()
	m.refuse(err)
	m.obey(signals)
}

// depart executes the new image. It returns why that failed, and the signals that it
// took and that are not obeyed.
func (m *master) depart(st *state) (signals []int, err error) {
	fd, err := st.write()
	if err != nil {
		return nil, err
	}
	defer closeAll([]int{fd})
	if err := os.Chdir(m.plan.dir); err != nil { // which the next image could not enter either
		return nil, fmt.Errorf("enter the working directory: %w", err)
	}
	if err := os.Chdir(m.home); err != nil {
		return nil, fmt.Errorf("enter the directory that the service was started in: %w", err)
	}
	st.inherit(true)
	defer st.inherit(false)
	if m.cfg.HoldSignals != nil { // last: those that cannot be held end the next image
		defer m.cfg.HoldSignals()()
	}
	for {
		signals = append(signals, received(m.cfg.Signals)...)
		for _, sig := range signals {
			if sig == int(unix.SIGTERM) || sig == int(unix.SIGINT) || sig == int(unix.SIGQUIT) {
				return signals, errLeaving
			}
		}
		err := execute(m.path, m.cfg, append([]int{fd, m.self}, signals...))
		if !errors.Is(err, errInterrupted) {
			return signals, err
		}
	}
}

// resume takes the service over from the image before, and goes on with the reload.
// On an error nothing was taken.
func (m *master) resume(from *Resume) error {
	st, err := readState(from.state)
	if err != nil {
		return err
	}
	st.inherit(false)
	r, err := m.restore(st)
	if err != nil {
		return fmt.Errorf("take the service over from version %q: %w", st.Writer, err)
	}
	from.taken = true
	r.commit()
	closeAll([]int{from.state, from.old})
	if from.reason != "" {
		m.log.Error("new binary could not take over", "path", m.path)
		m.refuse(fmt.Errorf("the new binary could not take over: %s", firstLine(from.reason)))
		m.printRaw(from.reason)
	} else {
		m.log.Info("binary exchanged", "gen", m.gen.number, "path", m.path, "from", st.Writer, "to", m.cfg.Version)
		m.move(executed)
		if replaced, err := m.replaced(); err == nil && replaced {
			m.reload.again = true // who said so by HUP was not heard in the middle of the exec
		}
		m.read()
	}
	m.obey(from.signals)
	return nil
}

// obey obeys signals that came before the exec.
func (m *master) obey(numbers []int) {
	for _, number := range numbers {
		m.signalled(syscall.Signal(number))
	}
}

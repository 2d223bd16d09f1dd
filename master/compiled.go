package master

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/python"
)

// compiled is what a mold has compiled of our Python side, so that those to come need not. The zero value
// holds nothing.
type compiled struct {
	interpreter string   // for which memory is
	memory      *os.File // nil for none
	warned      bool     // that the cache is not used
}

// codeCompiled: a mold has sent what it compiled.
type codeCompiled struct {
	child   *child
	memory  *os.File // closed by the collector if nobody hears this
	lasting bool     // it may be written to a file
}

// compiledFor returns the descriptor of what there is for an interpreter, in memory or in the cache; it stays
// ours. -1 if there is nothing: then the mold compiles, and nothing else is different.
func (m *master) compiledFor(interpreter string) int {
	if m.compiled.memory != nil && m.compiled.interpreter == interpreter {
		return int(rawFD(m.compiled.memory))
	}
	code, err := m.codeCache().Load(interpreter)
	if err != nil {
		m.tellUncached(err)
		return -1
	}
	fd, err := memory("indrik-compiled", code)
	if err != nil {
		m.tellUncached(err)
		return -1
	}
	m.holdCompiled(interpreter, os.NewFile(uintptr(fd), "indrik-compiled"))
	return fd
}

// keepCompiled takes what a mold has compiled, and writes it to the cache beside everything else.
func (m *master) keepCompiled(f codeCompiled) {
	_, g := m.whose(f.child)
	if g == nil {
		_ = f.memory.Close() // of a mold that was replaced
		return
	}
	interpreter := g.plan.settings.Python()
	m.holdCompiled(interpreter, f.memory)
	if !f.lasting {
		return
	}
	code, err := io.ReadAll(io.NewSectionReader(f.memory, 0, python.MaxCompiled+1))
	if err != nil {
		m.tellUncached(err)
		return
	}
	cache, log := m.codeCache(), m.log
	go func() { // a disk may be slow
		if err := cache.Store(interpreter, code); err != nil {
			log.Debug("compiled code not stored", "error", err)
		}
	}()
}

func (m *master) holdCompiled(interpreter string, memory *os.File) {
	m.forgetCompiled()
	m.compiled.interpreter, m.compiled.memory = interpreter, memory
}

func (m *master) forgetCompiled() {
	if m.compiled.memory != nil {
		_ = m.compiled.memory.Close() // memory; nothing to flush
		m.compiled.memory = nil
	}
}

func (m *master) codeCache() python.Cache {
	return python.FindCache(m.env, os.Geteuid() == 0)
}

// tellUncached says why the cache is not used, if anybody can do something about it. That there is none is usual.
func (m *master) tellUncached(err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, python.ErrUntrusted) && !m.compiled.warned:
		m.compiled.warned = true
		m.log.Warn("compiled code not used", "error", err, "remedy", "give it to the service's user, and take the right to write from others")
	default:
		m.log.Debug("compiled code not used", "error", err)
	}
}

// memory returns a memfd that holds data, at position 0.
func memory(name string, data []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("make a memfd for the Python side: %w", err)
	}
	for at := 0; at < len(data); {
		n, err := unix.Pwrite(fd, data[at:], int64(at))
		if err != nil && !errors.Is(err, unix.EINTR) {
			closeAll([]int{fd})
			return -1, fmt.Errorf("write the Python side to a memfd: %w", err)
		}
		at += max(n, 0)
	}
	return fd, nil
}

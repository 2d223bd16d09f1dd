package activation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

func listenUnix(ctx context.Context, b Bind, opt ListenOptions) (Socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return Socket{}, err
	}
	s := Socket{FD: fd, Network: "unix", Address: b.Path}
	if b.Path[0] == '@' {
		if err = unix.Bind(fd, &unix.SockaddrUnix{Name: b.Path}); err == nil {
			err = unix.Listen(fd, opt.Backlog)
		}
	} else if s.Address, err = filepath.Abs(b.Path); err == nil {
		s.File, err = bindFile(ctx, fd, b.Path, opt)
	}
	if err != nil {
		_ = unix.Close(fd) // bindFile removed what it made; nothing else is to be undone
		return Socket{}, explainUnix(err, b.Path)
	}
	return s, nil
}

// bindFile makes the socket file and listens, under the lock of the directory:
// a socket that is bound and does not listen yet looks like a stale one, and
// would be removed by the next process that wants the path.
func bindFile(ctx context.Context, fd int, path string, opt ListenOptions) (FileID, error) {
	unlock, err := lockDirectory(ctx, filepath.Dir(path))
	if err != nil {
		return FileID{}, err
	}
	defer unlock()

	// The mode of the socket before bind(2), less the umask, becomes the mode
	// of the file, so there is no instant at which the file is open to more
	// than it should be. What the umask took is given back by chmod.
	if opt.Mode != 0 {
		if err := unix.Fchmod(fd, uint32(opt.Mode.Perm())); err != nil {
			return FileID{}, err
		}
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	if errors.Is(err, unix.EADDRINUSE) {
		if err = removeStale(path); err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
		}
	}
	if err != nil {
		return FileID{}, err
	}
	id, err := openFile(fd, path, opt)
	if err != nil {
		_ = unix.Unlink(path) // ours since the bind; the first error says more
		return FileID{}, err
	}
	return id, nil
}

// openFile finishes a socket file that was just bound.
func openFile(fd int, path string, opt ListenOptions) (FileID, error) {
	id, mode, err := identify(path)
	if err != nil {
		return FileID{}, err
	}
	if want := uint32(opt.Mode.Perm()); want != 0 && mode&0o777 != want {
		if err := unix.Chmod(path, want); err != nil {
			return FileID{}, err
		}
	}
	return id, unix.Listen(fd, opt.Backlog)
}

// removeStale removes the socket file at path if nobody listens on it. The only
// one who knows is the kernel, and the only way to ask is to connect.
func removeStale(path string) error {
	_, mode, err := identify(path)
	if errors.Is(err, unix.ENOENT) {
		return nil // gone since bind(2) found it
	}
	if err != nil {
		return err
	}
	if mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%w by a file that is not a socket; remove it or choose another path", unix.EADDRINUSE)
	}
	switch err := probe(path); {
	case errors.Is(err, unix.ECONNREFUSED):
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("cannot tell whether somebody listens there: %w; remove the file if nobody does", err)
	default:
		// Connected, a full queue (EAGAIN), or a live socket of another type
		// (EPROTOTYPE): somebody is there.
		return unix.EADDRINUSE
	}
	if err := unix.Unlink(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove the stale socket: %w", err)
	}
	return nil
}

// probe connects to the socket at path, without waiting, and hangs up.
func probe(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was sent; nothing to lose
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

const (
	// lockLimit is how long to wait for others who bind in the same directory;
	// they need microseconds. In a directory like /tmp a stranger may hold its
	// lock for ever, and must not keep us from starting.
	lockLimit = time.Second
	// lockPause is the time between two looks: flock(2) has no time limit and
	// gives no event.
	lockPause = 5 * time.Millisecond
)

// lockDirectory takes the lock of dir that keeps those who bind in it apart,
// and returns what gives it back. The lock is a courtesy between processes that
// use this package: where it cannot be had, life goes on without.
func lockDirectory(ctx context.Context, dir string) (unlock func(), err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}, nil // bind(2) will say what is wrong with it, if it matters
	}
	unlock = func() {
		// By name, because a child that was forked and has not yet called
		// execve shares the open file, and would keep the lock after the close.
		_ = unix.Flock(fd, unix.LOCK_UN) // cannot fail in a way that the close does not cure
		_ = unix.Close(fd)               // read side; nothing to lose
	}
	limit := time.NewTimer(lockLimit)
	defer limit.Stop()
	for {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return unlock, nil // ours, or a file system without locks
		}
		select {
		case <-time.After(lockPause):
		case <-limit.C:
			return unlock, nil
		case <-ctx.Done():
			unlock()
			return nil, fmt.Errorf("wait for the lock of %s: %w", dir, context.Cause(ctx))
		}
	}
}

// explainUnix adds to err what a person can do about it.
func explainUnix(err error, path string) error {
	dir := filepath.Dir(path)
	switch {
	case err == unix.EADDRINUSE: // bare: removeStale has explained the others
		return fmt.Errorf("%w; see who has it with: ss -lxp src %s", err, path)
	case err == unix.ENOENT:
		return fmt.Errorf("%w; there is no directory %s", err, dir)
	case err == unix.EACCES, err == unix.EPERM:
		return fmt.Errorf("%w; this user may not create files in %s", err, dir)
	case err == unix.EROFS:
		return fmt.Errorf("%w; under systemd, add RuntimeDirectory= or ReadWritePaths=%s", err, dir)
	}
	return err
}

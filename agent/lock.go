package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockLimit is how long an agent that starts waits for another one that starts.
	lockLimit = 2 * time.Second
	// lockPause is the time from one try to the next.
	lockPause = 10 * time.Millisecond
)

// errLockHeld means that another process has the lock.
var errLockHeld = errors.New("held")

// lockFile creates and locks the file that belongs to the agent's socket, and returns
// a function that removes it. Of the agents that start at the same time, one has the
// lock. It waits no longer than lockLimit.
//
// The lock is on a file that nobody else can open. Every process that can open a
// directory can lock the directory, and hold up the agent for ever. The lock is a
// record lock, since the kernel tells who has one: F_GETLK in fcntl(2).
func lockFile(path string) (unlock func(), err error) {
	for deadline := time.Now().Add(lockLimit); ; time.Sleep(lockPause) {
		file, holder, err := tryLock(path)
		if err == nil {
			return func() {
				_ = os.Remove(path) // before the lock is released: see tryLock
				file.Close()
			}, nil
		}
		if !errors.Is(err, errLockHeld) {
			return nil, fmt.Errorf("lock the agent socket: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("lock the agent socket: %s has locked %s for more than %s: "+
				"stop that process, or choose another path with --socket",
				describeProcess(holder), path, lockLimit)
		}
	}
}

// tryLock tries once. If it fails by errLockHeld, holder is the pid of the process that
// has the lock, 0 if the process is not visible, or -1 if it has released the lock.
func tryLock(path string) (file *os.File, holder int, err error) {
	// O_NONBLOCK: another user may have put a FIFO there, where the directory is shared.
	file, err = os.OpenFile(path,
		os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600) // sets O_CLOEXEC
	if err != nil {
		return nil, -1, explainOpen(path, err)
	}
	made := file // which a return with an error sets to nil
	defer func() {
		if err != nil {
			made.Close()
		}
	}()
	opened, err := checkLockFile(file)
	if err != nil {
		return nil, -1, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK} // the whole file
	err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lock)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		if unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock) != nil || lock.Type == unix.F_UNLCK {
			return nil, -1, errLockHeld
		}
		return nil, int(lock.Pid), errLockHeld
	}
	if err != nil {
		return nil, -1, fmt.Errorf("lock %s: %w", path, err)
	}
	// The process that had the lock has removed the file. Another agent that starts would create
	// and lock a new one.
	if now, err := os.Lstat(path); err != nil || !os.SameFile(opened, now) {
		return nil, -1, errLockHeld
	}
	return file, -1, nil
}

// explainOpen returns an error that says what to do where the lock file can't be opened.
func explainOpen(path string, err error) error {
	if _, statErr := os.Lstat(path); statErr != nil && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: user %d may not make files in %s: %s",
			err, os.Geteuid(), filepath.Dir(path), otherPath)
	}
	return fmt.Errorf("%w: if a file is there that does not belong to the agent, "+
		"remove it, or choose another path with --socket", err)
}

// checkLockFile fails for a file that another user can open, or made.
func checkLockFile(file *os.File) (os.FileInfo, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return nil, fmt.Errorf("inspect %s: %w", file.Name(), err)
	}
	switch {
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s (%s) is not a file for the agent alone: "+
			"remove it, or choose another path with --socket", file.Name(), info.Mode())
	case stat.Uid != 0 && stat.Uid != uint32(os.Geteuid()):
		return nil, fmt.Errorf("%s belongs to user %d, who can hold the lock for ever: "+
			"remove it, or choose another path with --socket", file.Name(), stat.Uid)
	}
	return info, nil
}

// describeProcess names a process for an error message.
func describeProcess(pid int) string {
	switch {
	case pid < 0:
		return "one process after another"
	case pid == 0:
		return "a process of another pid namespace"
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
}

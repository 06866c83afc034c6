package agent

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limits bound what attaching takes, however many runtimes connect at the same
// time.
type limits struct {
	// attaching holds one token for each call of Attach under way. Each of them is an
	// OS thread in a system call, and Go never gives a thread back.
	attaching chan struct{}
	// fds is one more than the highest number that a notify fd may have. The
	// numbers above it are for calls in flight and for connections.
	fds int
}

// newLimits reads the soft limit of open files. Go (package os) has raised it to
// the hard limit by then.
func newLimits() (l limits, err error) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return l, fmt.Errorf("read the limit of open files: %w", err)
	}
	soft := int(min(files.Cur, 1<<30))
	return limits{attaching: make(chan struct{}, processors), fds: soft - min(soft/4, 2048)}, nil
}

// checkRoom fails for a notify fd that leaves too few fds to work with. A new fd
// gets the lowest free number, so a high number means that those below are taken.
func (l limits) checkRoom(fd int) error {
	if fd >= l.fds {
		return fmt.Errorf("the limit of open files has no room for the notify fd, which must be "+
			"below %d: raise the limit (LimitNOFILE= of the unit, ulimit -n), "+
			"or run fewer containers", l.fds)
	}
	return nil
}

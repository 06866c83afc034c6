package agent

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limits bound what attaching takes, whatever number of runtimes come at once.
type limits struct {
	// attaching has room for those that attach now: each is an OS thread in a
	// system call, and Go never gives one back.
	attaching chan struct{}
	// fds is where the numbers of notify fds end: what is above is for calls in
	// flight and for connections.
	fds int
}

// newLimits reads the soft limit of open files, which Go has raised to the hard
// one by then (package os).
func newLimits() (l limits, err error) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return l, fmt.Errorf("read the limit of open files: %w", err)
	}
	soft := int(min(files.Cur, 1<<30))
	return limits{attaching: make(chan struct{}, processors), fds: soft - min(soft/4, 2048)}, nil
}

// room fails for a notify fd that leaves too few to work with. Fds get the
// lowest free number, so a high one says that those below are taken.
func (l limits) room(fd int) error {
	if fd >= l.fds {
		return fmt.Errorf("the agent serves as many containers as its limit of open files allows, with fds up to %d: raise LimitNOFILE= of its unit (RLIMIT_NOFILE), or run fewer", l.fds)
	}
	return nil
}

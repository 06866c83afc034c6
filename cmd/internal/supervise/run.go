// Package supervise runs a command under a filter whose notifications we answer: it forks a child that loads the filter
// and execs the command, and stands between the command and whoever started us. The command finds its descriptors,
// environment, limits, signals and terminal as we found them.
//
// When the supervisor is killed with SIGKILL, the command lives on, and the kernel refuses its binds with ENOSYS. A signal
// sent to the whole process group by kill(2) (not by the terminal) reaches the command twice: nothing tells it from one to us alone.
package supervise

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// Command is what to run, and under what.
type Command struct {
	Args        []string          // CMD and its arguments
	Filter      []unix.SockFilter // one that notifies
	FilterFlags uint              // of seccomp(2), besides NEW_LISTENER
	Ruleset     int               // fd of a Landlock ruleset, or -1
	// Attach owns the notify fd and returns once the engine serves it; CMD starts then.
	Attach func(pid, notifyFD int) error
}

// Run returns when CMD and all its descendants are gone. An error means that CMD was not run; the status is then 125, or
// 126 (not executable), 127 (not found), 128+n (the child was killed by signal n). Without one it is CMD's own, as in a
// shell's $?. To be called once, in a process that has no other children to wait for.
func (c Command) Run() (status int, err error) {
	if len(c.Args) == 0 {
		return cli.StatusFailure, errors.New("no command to run")
	}
	runtime.LockOSThread() // the thread that takes the signals: never unlocked, lest others get its mask
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return cli.StatusFailure, fmt.Errorf("become the reaper of all descendants: %w", err)
	}
	before := children()
	caught, err := catchSignals()
	if err != nil {
		return cli.StatusFailure, err
	}
	child, err := c.start()
	if err != nil {
		return cli.StatusFailure, err
	}
	go forward(caught, child)
	reaped := make(chan unix.WaitStatus)
	go func() { reaped <- reap(child, before) }()

	err = child.converse(c.Attach)
	ws := <-reaped
	failed := failure{status: cli.StatusFailure}
	switch {
	case errors.As(err, &failed) || err != nil && !ws.Signaled():
		return failed.status, err
	case err != nil:
		return exitStatus(ws), fmt.Errorf("the child was killed by signal %d before it could run %q", ws.Signal(), c.Args[0])
	}
	return exitStatus(ws), nil
}

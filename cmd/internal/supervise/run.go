// Package supervise runs a command under a filter that notifies. It forks a child that
// loads the filter and executes the command. From then on this process, the supervisor,
// forwards signals to the command, passes its notifications on to the service manager,
// follows job control, and waits for the end of the command. The command gets the fds,
// environment, limits, signal settings and terminal that the supervisor was started with.
//
// If the supervisor is killed with SIGKILL, the command goes on, and the kernel refuses
// its binds with ENOSYS. A signal that kill(2) sends to the whole process group reaches
// the command twice, because nothing distinguishes it from a signal to the supervisor
// alone. A signal that the terminal sends to the group reaches the command once.
package supervise

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// A Command is a command to run, and its restrictions.
type Command struct {
	Args        []string          // CMD and its arguments
	Filter      []unix.SockFilter // a filter that notifies
	FilterFlags uint              // flags of seccomp(2) besides SECCOMP_FILTER_FLAG_NEW_LISTENER
	Ruleset     int               // the fd of a Landlock ruleset, or -1

	// Forks means that CMD forks into the background, like a service of Type=forking,
	// systemd.service(5). PIDFile is the file with the pid of its daemon, or "".
	Forks   bool
	PIDFile string

	// Attach is called with the notify fd of the filter, and owns it. CMD is executed
	// when Attach has returned, so the notifications must be served by then.
	Attach func(pid, notifyFD int) error

	// Ended, if it is not nil, is called when a command that was run has ended: before Run
	// returns, or ends this process by the signal that ended the command.
	Ended func()
}

// Run runs the command, and returns when CMD and all its descendants are gone. It is to
// be called once, in a process that does not wait for other children.
//
// Without an error, the status is that of CMD, or of the daemon in PIDFile, as in $? of a
// shell. But a service that a signal ended ends this process, too. An error means that
// CMD was not run. Its status is 126 if CMD is not executable, 127 if CMD was not found,
// 128+n if signal n killed the child before, and 125 otherwise.
func (c Command) Run() (status int, err error) {
	if len(c.Args) == 0 {
		return cli.StatusFailure, errors.New("no command to run")
	}
	// This thread takes the signals. It stays locked, since no other goroutine may run
	// with its signal mask.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return cli.StatusFailure, fmt.Errorf("become the reaper of all descendants: %w", err)
	}
	before := children()
	caught, err := catchSignals()
	if err != nil {
		return cli.StatusFailure, err
	}
	notifications, err := listenForNotifications(os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return cli.StatusFailure, err
	}
	child, err := c.start(notifications)
	if err != nil {
		return cli.StatusFailure, err
	}
	finish := notifications.passOnFor(child)
	go forward(caught, child)
	var daemon *daemon
	if c.Forks {
		daemon = newDaemon(c.PIDFile, notifications)
	}
	reaped := make(chan unix.WaitStatus)
	go func() { reaped <- reap(child, daemon, before) }()

	err = child.converse(c.Attach)
	ws := <-reaped
	finish()
	failed := failure{status: cli.StatusFailure}
	switch {
	case errors.As(err, &failed) || err != nil && !ws.Signaled():
		return failed.status, err
	case err != nil:
		return exitStatus(ws), fmt.Errorf(
			"the child was killed by signal %d before it could run %q", ws.Signal(), c.Args[0])
	}
	if text := daemon.missed(); text != "" {
		fmt.Fprintln(os.Stderr, "port-restricter:", text)
	}
	if c.Ended != nil {
		c.Ended()
	}
	endLike(ws)
	return exitStatus(ws), nil
}

// Package supervise runs a command under a filter whose notifications we answer: it starts our own binary again as the
// child that loads the filter and execs the command, and stands between the command and whoever started us. The
// command finds its descriptors, environment, limits, signals and terminal as we found them.
//
// When the supervisor is killed with SIGKILL, the command lives on, and the kernel refuses its binds with ENOSYS. A signal
// sent to the whole process group by kill(2) (not by the terminal) reaches the command twice: nothing tells it from one to us alone.
package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what to run.
type Command struct {
	Args       []string // CMD and its arguments
	ChildFlags []string // put behind ChildCommand
	// Attach gets our end of the conversation with Child.Send and returns once the engine serves what came; CMD starts then.
	Attach func(conn *net.UnixConn) error
}

// Run returns when CMD and all its descendants are gone. An error means that CMD was not run; the status is then 125, or
// 126 (not executable), 127 (not found), 128+n (the child was killed by signal n). Without one it is CMD's own, as in a
// shell's $?. To be called once, in a process that has no other children to wait for.
func (c Command) Run() (status int, err error) {
	if len(c.Args) == 0 {
		return statusOurs, errors.New("no command to run")
	}
	runtime.LockOSThread() // the thread that takes the signals: never unlocked, lest others get its mask
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return statusOurs, fmt.Errorf("become the reaper of all descendants: %w", err)
	}
	before := children()
	caught, err := catchSignals()
	if err != nil {
		return statusOurs, err
	}
	child, err := c.spawn()
	if err != nil {
		return statusOurs, err
	}
	go forward(caught, child)
	reaped := make(chan unix.WaitStatus)
	go func() { reaped <- reap(child, before) }()

	failed, attachErr := child.converse(c.Attach)
	ws := <-reaped
	switch {
	case failed.Message != "":
		return failed.Status, failed
	case attachErr != nil && ws.Signaled():
		return exitStatus(ws), fmt.Errorf("the child was killed by signal %d before it could run %q: %w", ws.Signal(), c.Args[0], attachErr)
	case attachErr != nil:
		return statusOurs, fmt.Errorf("attach the engine: %w", attachErr)
	}
	return exitStatus(ws), nil
}

// patience is for a child that hangs or is stopped when the engine did not want it.
const patience = 2 * time.Second

// converse returns when CMD runs or never will, with the reason of either side.
func (s spawned) converse(attach func(*net.UnixConn) error) (failed failure, attachErr error) {
	defer s.conn.Close()
	attachErr = attach(s.conn)
	if attachErr == nil {
		_, attachErr = s.conn.Write([]byte("\n"))
	}
	if attachErr != nil {
		_ = s.conn.Close()
		_ = s.failure.SetReadDeadline(time.Now().Add(patience))
	}
	message, err := io.ReadAll(s.failure)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0)
		return failure{fmt.Sprintf("attach the engine: %v", attachErr), statusOurs}, nil
	}
	_ = json.Unmarshal(message, &failed)
	return failed, attachErr
}

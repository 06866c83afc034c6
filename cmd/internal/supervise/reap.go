package supervise

// #include "signals.h"
import "C"

import (
	"os"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// reap waits for the child and all its descendants, and returns the status of the child,
// or that of the daemon if the child forks into the background. Then it waits only for the
// daemon, or, if the child failed, for the child.
// The supervisor is a subreaper, so descendants whose parents end become its children.
//
// It does not wait for descendants that outlive a child which was told to end: systemd
// looks after what is left of a service once its main process has ended, as KillMode= says.
//
// before are the children that this process had before the child, such as those of a
// shell script that executes port-restricter. reap does not wait for them, but reaps
// those that end.
func reap(child *child, daemon *daemon, before []int) (status unix.WaitStatus) {
	runtime.LockOSThread() // for stopWithChild
	defer runtime.UnlockOSThread()
	isNew := func(pid int) bool { return !slices.Contains(before, pid) }
	for gone := false; ; {
		var ws unix.WaitStatus
		// Without __WALL: others wait for the children that have no exit signal.
		pid, err := unix.Wait4(-1, &ws, unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // ECHILD
			return status
		case ws.Stopped():
			if pid == child.pid {
				stopWithChild(child, ws.StopSignal())
			}
			continue
		case pid == child.pid:
			status, gone = ws, true
			if child.toldToEnd.Load() || daemon != nil && exitStatus(ws) != 0 {
				return status
			}
			if daemon != nil {
				daemon.awaited = true
				go daemon.appear()
			}
		case daemon.is(pid):
			return ws
		}
		before = slices.DeleteFunc(before, func(p int) bool { return p == pid })
		if gone && len(before) > 0 && !slices.ContainsFunc(children(), isNew) {
			return status
		}
	}
}

// endLike ends this process by the signal that ended the command, if a service manager
// started it: for systemd, a service that SIGTERM ended has stopped, and one whose status is
// 143 has failed. For others it is as in a shell, 128+n.
func endLike(ws unix.WaitStatus) {
	manager := os.Getenv("MANAGERPID") // set for the services of a user
	isChild := os.Getppid() == 1 || manager == strconv.Itoa(os.Getppid())
	if ws.Signaled() && isChild && os.Getenv("INVOCATION_ID") != "" {
		C.signals_die_of(C.int(ws.Signal()))
	}
}

// exitStatus returns the status that a shell would have in $?.
func exitStatus(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

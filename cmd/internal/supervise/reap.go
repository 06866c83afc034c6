package supervise

import (
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// reap returns the child's status when the child and all its descendants are gone; as a subreaper, we inherit them. The
// children that we had before (those of a shell script that execs us) are reaped, not waited for. Without __WALL, since
// children without an exit signal belong to others.
func reap(child *child, before []int) (status unix.WaitStatus) {
	runtime.LockOSThread() // for stopWithChild
	defer runtime.UnlockOSThread()
	for gone := false; ; {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // ECHILD
			return status
		case ws.Stopped():
			if pid == child.pid {
				stopWithChild(child, unix.Signal(ws.StopSignal()))
			}
			continue
		case pid == child.pid:
			status, gone = ws, true
		}
		before = slices.DeleteFunc(before, func(p int) bool { return p == pid })
		if gone && len(before) > 0 && !slices.ContainsFunc(children(), func(p int) bool { return !slices.Contains(before, p) }) {
			return status
		}
	}
}

// exitStatus is what a shell says in $?.
func exitStatus(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

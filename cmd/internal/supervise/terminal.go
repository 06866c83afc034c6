package supervise

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stopWithChild stops the supervisor after the child has been stopped, if a shell waits for
// its job to stop. That is so at a terminal, if the supervisor is in the foreground or the
// signal is one of the terminal's, which the kernel withholds from groups that no shell
// controls. Otherwise the supervisor goes on, since it may have to serve other descendants.
//
// The calling goroutine must be locked to its thread.
func stopWithChild(child *child, sig unix.Signal) {
	foreground := stat(os.Getpid())[statForeground] == strconv.Itoa(unix.Getpgrp())
	if !hasTerminal() || leadsSession() || !foreground && sig == unix.SIGSTOP {
		return
	}
	if movedOn(child) { // nobody would continue the supervisor
		return
	}
	// kill(2) could return before another thread takes the signal and stops this one.
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)

	// The supervisor has been continued, usually by a kill(2) of the whole group, which
	// continues the child as well but may not have come to it yet. setpgid(2), which
	// changes nothing here, waits for the lock that kill holds. A second SIGCONT could
	// undo a ^Z that the child got since, so it is sent only to a child that still stops.
	_ = unix.Setpgid(0, unix.Getpgrp())
	if !movedOn(child) {
		_ = unix.PidfdSendSignal(child.pidfd, unix.SIGCONT, nil, 0)
	}
}

// hasTerminal reports whether this process has a controlling terminal.
func hasTerminal() bool { return stat(os.Getpid())[statTerminal] != "0" }

// movedOn reports whether the child was continued, or ended, since its last stop was
// reaped. The state in /proc can't tell: it is the state of one thread. The order matters:
// a new stop replaces the event that WCONTINUED reports.
func movedOn(child *child) bool {
	for _, event := range []int{unix.WCONTINUED, unix.WSTOPPED} {
		var info unix.Siginfo
		flags := event | unix.WNOHANG | unix.WNOWAIT
		err := unix.Waitid(unix.P_PIDFD, child.pidfd, &info, flags, nil)
		if err != nil || info.Signo != 0 {
			return true
		}
	}
	return false
}

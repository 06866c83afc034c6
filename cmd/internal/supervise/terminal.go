package supervise

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stopWithChild stops us after the child was stopped where a shell waits for its job to stop: at a terminal, where we
// are in the foreground or the signal was a terminal's (which the kernel withholds from groups that no shell looks after).
// Everywhere else we go on, since other descendants want to be served.
func stopWithChild(child *child, sig unix.Signal) {
	foreground := stat(os.Getpid())[statForeground] == strconv.Itoa(unix.Getpgrp())
	if !hasTerminal() || leadsSession() || !foreground && sig == unix.SIGSTOP {
		return
	}
	if movedOn(child) { // nobody would continue us
		return
	}
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP) // kill(2) may return here before another thread stops us all
	// Mostly, the child got the same SIGCONT, from a kill(2) of the group that may not be through with it yet: setpgid(2),
	// which changes nothing here, waits for the lock that kill holds. One more SIGCONT could undo a ^Z that came since.
	_ = unix.Setpgid(0, unix.Getpgrp())
	if !movedOn(child) {
		_ = unix.PidfdSendSignal(child.pidfd, unix.SIGCONT, nil, 0)
	}
}

func hasTerminal() bool { return stat(os.Getpid())[statTerminal] != "0" }

// movedOn tells whether the child was continued since its last stop was reaped. Its state in /proc does not: it is that of
// one thread. In this order, since a new stop takes the place of what WCONTINUED tells.
func movedOn(child *child) bool {
	for _, event := range []int{unix.WCONTINUED, unix.WSTOPPED} {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, child.pidfd, &info, event|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != nil || info.Signo != 0 {
			return true
		}
	}
	return false
}

package supervise

import (
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// resuming is true until the SIGCONT that ends our own stop has come: stopWithChild knows better whether to forward it.
var resuming atomic.Bool

// stopWithChild stops us after the child was stopped where a shell waits for its job to stop: at a terminal, where we
// are in the foreground or the signal was a terminal's (which the kernel withholds from groups that no shell looks after).
// Everywhere else we go on, since other descendants want to be served.
func stopWithChild(child spawned, sig unix.Signal) {
	us := stat(os.Getpid())
	foreground := us[statForeground] == strconv.Itoa(unix.Getpgrp())
	if us[statTerminal] == "0" || leadsSession() || !foreground && sig == unix.SIGSTOP {
		return
	}
	if movedOn(child) { // nobody would continue us
		return
	}
	resuming.Store(true)
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP) // kill(2) may return here before another thread stops us all
	// Mostly, the child got the same SIGCONT, from a kill(2) of the group that may not be through with it yet: setpgid(2),
	// which changes nothing here, waits for the lock that kill holds. One more SIGCONT could undo a ^Z that came since.
	_ = unix.Setpgid(0, unix.Getpgrp())
	if !movedOn(child) {
		_ = pass(&unix.Siginfo{Signo: int32(unix.SIGCONT)}, child.pid, child.pidfd)
	}
}

// movedOn tells whether the child was continued since its last stop was reaped. Its state in /proc does not: it is that of
// one thread. In this order, since a new stop takes the place of what WCONTINUED tells.
func movedOn(child spawned) bool {
	for _, event := range []int{unix.WCONTINUED, unix.WSTOPPED} {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, child.pidfd, &info, event|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != nil || info.Signo != 0 {
			return true
		}
	}
	return false
}

package supervise

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stopWithChild stops us after the child was stopped where a shell waits for its job to stop: at a terminal, where we
// are in the foreground or the signal was a terminal's (which the kernel withholds from groups that no shell looks after).
// Everywhere else we go on, since other descendants want to be served. SIGCONT, which is forwarded, ends it.
func stopWithChild(pid int, sig unix.Signal) {
	us := stat(os.Getpid())
	foreground := us[statForeground] == strconv.Itoa(unix.Getpgrp())
	if us[statTerminal] == "0" || leadsSession() || !foreground && sig == unix.SIGSTOP {
		return
	}
	if stat(pid)[statState] == "T" { // else it was continued already, and nobody would continue us
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
	}
}

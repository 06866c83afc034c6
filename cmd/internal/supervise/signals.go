package supervise

// #include <signal.h>
// #include "signals.h"
// static pid_t sender(void *info) { return ((siginfo_t *)info)->si_pid; }
import "C"

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A signalSet has bit n-1 for signal n, as in /proc/PID/status.
type signalSet uint64

func setOf(signals ...unix.Signal) (set signalSet) {
	for _, sig := range signals {
		set |= 1 << (sig - 1)
	}
	return set
}

func (s signalSet) has(sig unix.Signal) bool { return s&setOf(sig) != 0 }

const (
	realTimeSignals = ^signalSet(1<<33 - 1) // from 34 on: glibc uses 32 and 33 itself

	// Values of si_code, sigaction(2).
	siQueue  = -1
	siKernel = 0x80
)

var (
	// terminalSignals are those that a terminal sends to a process group. The child is
	// in the supervisor's group and gets them from the terminal itself.
	terminalSignals = setOf(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGCONT,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGWINCH)

	// forwardedSignals are the signals that port-restricter passes on to the command. The
	// rest concern the process that gets them: a fault of it, the end of its child, its
	// use of CPU time.
	forwardedSignals = terminalSignals | realTimeSignals |
		setOf(unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGVTALRM,
			unix.SIGIO, unix.SIGPWR)

	// endSignals are those by which a service manager tells a service to end.
	endSignals = setOf(unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
)

// catchSignals returns a pipe in which each signal of forwardedSignals arrives as a
// siginfo. Signals that this process was started with as ignored (nohup) stay ignored.
// The signals are unblocked on the calling thread only.
func catchSignals() (*os.File, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make the pipe for signals: %w", err)
	}
	if errno := C.signals_catch(C.uint64_t(forwardedSignals), C.int(ends[1])); errno != 0 {
		return nil, fmt.Errorf("catch signals: %w", unix.Errno(errno))
	}
	return os.NewFile(uintptr(ends[0]), "signals"), nil
}

// forward passes each caught signal to the child and, when the child has ended, to
// the processes that have become children of the supervisor since.
func forward(caught io.Reader, child *child) {
	var info unix.Siginfo
	buffer := unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))
	for {
		if _, err := io.ReadFull(caught, buffer); err != nil {
			return
		}
		byCommand := fromCommand(&info, child)
		reached := byCommand || fromTerminal(&info)
		if !ended(child.pidfd) {
			if endSignals.has(unix.Signal(info.Signo)) && !reached {
				child.toldToEnd.Store(true)
			}
			if pass(&info, reached, child.pid, child.pidfd) != unix.ESRCH {
				continue
			}
		}
		if byCommand {
			continue // its last words to the supervisor are not for what it left behind
		}
		for _, pid := range children() {
			if pidfd, err := unix.PidfdOpen(pid, 0); err == nil {
				// Another process may have got the id before the pidfd was opened.
				if isChild(pid) {
					_ = pass(&info, reached, pid, pidfd)
				}
				_ = unix.Close(pidfd)
			}
		}
	}
}

// ended reports whether a process has ended. It may not have been reaped yet.
func ended(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// pass sends a signal to a process, unless it has reached the whole process group already,
// and so this process. It returns ESRCH if the process has been reaped.
func pass(info *unix.Siginfo, reached bool, pid, pidfd int) error {
	sig := unix.Signal(info.Signo)
	group, err := unix.Getpgid(pid)
	sameGroup := err == nil && group == unix.Getpgrp()
	switch {
	case sameGroup && reached:
		return nil
	case sameGroup && sig == unix.SIGCONT && hasTerminal():
		// A shell continues the whole group. A second SIGCONT now could undo the
		// next ^Z; see stopWithChild.
		return nil
	case sig == unix.SIGCONT && !sameGroup && group > 1: // kill(2) has other meanings for 0 and -1
		// A shell continues a job by its group, which the process has left.
		return unix.Kill(-group, sig)
	case info.Code == siQueue:
		return unix.PidfdSendSignal(pidfd, sig, info, 0) // with the value of sigqueue(3)
	}
	return unix.PidfdSendSignal(pidfd, sig, nil, 0)
}

// fromTerminal reports whether a terminal sent the signal to the whole process group.
// The kernel sends two other signals of this kind to this process alone: SIGALRM, since
// an alarm(2) that was set before execve(2) survives it, and SIGHUP for the session
// leader when its terminal goes away.
func fromTerminal(info *unix.Siginfo) bool {
	sig := unix.Signal(info.Signo)
	hangup := sig == unix.SIGHUP && leadsSession()
	return info.Code == siKernel && terminalSignals.has(sig) && !hangup
}

// fromCommand reports whether the command, which may have ended since, or a descendant of
// it sent the signal.
// Editors and pagers answer ^Z with kill(0, SIGTSTP), which reaches the whole group, so
// they have the signal already: a second SIGTSTP would stop them again after they were
// continued. A signal that the command sends to the supervisor alone is not passed back
// to the command either.
func fromCommand(info *unix.Siginfo, child *child) bool {
	sender := int(C.sender(unsafe.Pointer(info)))
	return info.Code <= 0 && (sender == child.pid || descends(sender))
}

// leadsSession reports whether this process is a session leader.
func leadsSession() bool {
	session, err := unix.Getsid(0)
	return err == nil && session == os.Getpid()
}

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

// signalSet has bit n-1 for signal n, as in /proc/PID/status.
type signalSet uint64

func setOf(signals ...unix.Signal) (set signalSet) {
	for _, sig := range signals {
		set |= 1 << (sig - 1)
	}
	return set
}

func (s signalSet) has(sig unix.Signal) bool { return s&setOf(sig) != 0 }

const (
	realTimeSignals = ^signalSet(1<<33 - 1) // from 34: 32 and 33 are glibc's own
	siQueue         = -1                    // si_code, sigaction(2)
	siKernel        = 0x80
)

var (
	// terminalSignals are those that a terminal sends to a process group: our child, being in ours, gets them itself.
	terminalSignals = setOf(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGWINCH)
	// forwardedSignals leaves out what says something about the receiver itself (a fault, its child, its CPU time).
	forwardedSignals = terminalSignals | realTimeSignals |
		setOf(unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR)
)

// catchSignals makes every signal of forwardedSignals come out of the returned pipe as a siginfo, but those that we were
// started with as ignored (nohup). They are unblocked on the calling thread only.
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

// forward passes on every caught signal to the child and, once that was reaped, to whoever else became our child.
func forward(caught io.Reader, child *child) {
	for {
		var info unix.Siginfo
		if _, err := io.ReadFull(caught, unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))); err != nil {
			return
		}
		if pass(&info, child.pid, child.pidfd) != unix.ESRCH {
			continue
		}
		for _, pid := range children() {
			if pidfd, err := unix.PidfdOpen(pid, 0); err == nil {
				if isChild(pid) { // else reaped before we opened it, and the id somebody else's
					_ = pass(&info, pid, pidfd)
				}
				_ = unix.Close(pidfd)
			}
		}
	}
}

// pass sends one signal, unless it went to the whole process group and so to the process already. ESRCH means that the
// process has ended.
func pass(info *unix.Siginfo, pid, pidfd int) error {
	// Unlike ESRCH of the kernel, this sees a process that has ended but was not reaped.
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0); err == nil && n > 0 {
		return unix.ESRCH
	}
	sig := unix.Signal(info.Signo)
	group, err := unix.Getpgid(pid)
	ours := err == nil && group == unix.Getpgrp()
	switch {
	case ours && (fromTerminal(info) || fromDescendant(info)):
		return nil
	case ours && sig == unix.SIGCONT && hasTerminal():
		return nil // a shell continues the whole group; by now, it could undo the next ^Z (see stopWithChild)
	case sig == unix.SIGCONT && !ours && group > 1: // 0 and -1 are other groups to kill(2)
		// A shell continues a job by its group, in which the child is not any more.
		return unix.Kill(-group, sig)
	case info.Code == siQueue:
		return unix.PidfdSendSignal(pidfd, sig, info, 0) // with the value of sigqueue(3)
	}
	return unix.PidfdSendSignal(pidfd, sig, nil, 0)
}

// fromTerminal leaves out SIGALRM, which comes from the kernel too (alarm(2) survives execve), and the SIGHUP of a terminal
// that went away, which the leader of its session gets alone.
func fromTerminal(info *unix.Siginfo) bool {
	sig := unix.Signal(info.Signo)
	return info.Code == siKernel && terminalSignals.has(sig) && !(sig == unix.SIGHUP && leadsSession())
}

// fromDescendant is for editors and pagers, which answer ^Z with kill(0, SIGTSTP): a second one would stop them after
// they were continued. A descendant that means us alone gets no echo.
func fromDescendant(info *unix.Siginfo) bool {
	return info.Code <= 0 && descends(int(C.sender(unsafe.Pointer(info))))
}

func leadsSession() bool {
	session, err := unix.Getsid(0)
	return err == nil && session == os.Getpid()
}

package hook

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// errEnded means that a process has ended.
var errEnded = errors.New("the process has ended")

// A process is the first process of a container.
type process struct{ pid, fd int }

// openProcess opens the process with this pid. The OCI runtime that tells the pid to its hook
// has just seen the process alive.
func openProcess(pid int) (process, error) {
	if pid <= 0 {
		return process{}, fmt.Errorf("the OCI runtime tells no pid of its process: %d", pid)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return process{}, errEnded
	}
	if err != nil {
		return process{}, fmt.Errorf("open process %d: %w", pid, err)
	}
	return process{pid, fd}, nil
}

func (p process) close() { unix.Close(p.fd) }

func (p process) kill() error {
	err := unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// look reads the condition of the process. It fails with errEnded if the process has ended.
func (p process) look() (c condition, err error) {
	// In this order: a runtime loads the filter before it executes the program, so a program
	// that runs has the filter if it ever had.
	if c.executed, err = Executed(p.pid); err == nil {
		c.filtered, err = filtered(p.pid)
	}
	// The pidfd tells whether /proc/PID was this process's, and no later one's.
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	if n, pollErr := unix.Poll(fds, 0); pollErr == nil && n > 0 {
		return condition{}, errEnded
	}
	return c, err
}

// forkedOnly is the flag in /proc/PID/stat of a process that has not called execve(2) since
// it was forked (PF_FORKNOEXEC in the kernel; ps(1) documents it as flag 1). The processes
// that runc and crun make for a container are forked, and execute nothing but its program.
const forkedOnly = 0x40

// Executed reports whether the first process of a container has executed the container's program.
func Executed(pid int) (bool, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, err
	}
	// The name of the program is in parentheses, and may contain any byte.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const flags = 6 // after the name: state ppid pgrp session tty_nr tpgid flags
	if len(fields) <= flags {
		return false, fmt.Errorf("/proc/%d/stat has no flags", pid)
	}
	value, err := strconv.ParseUint(string(fields[flags]), 10, 64)
	if err != nil {
		return false, fmt.Errorf("read the flags in /proc/%d/stat: %w", pid, err)
	}
	return value&forkedOnly == 0, nil
}

func filtered(pid int) (bool, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false, err
	}
	for line := range bytes.Lines(text) {
		// The name of the program is on the first line, with line feeds escaped.
		if mode, ok := bytes.CutPrefix(line, []byte("Seccomp:")); ok {
			return string(bytes.TrimSpace(mode)) == "2", nil // SECCOMP_MODE_FILTER
		}
	}
	return false, fmt.Errorf("/proc/%d/status does not show the seccomp mode", pid)
}

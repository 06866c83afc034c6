package supervise

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Fields of /proc/PID/stat, proc_pid_stat(5), counted from the state, which follows the name.
const (
	statTerminal   = 4
	statForeground = 5 // the process group in the foreground of that terminal
	statExitSignal = 35
	statFields     = 36
)

// stat returns the fields, all empty for a process that is gone.
func stat(pid int) []string {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The name is the process's own choice and may hold blanks and parentheses.
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	if len(fields) < statFields {
		return make([]string, statFields)
	}
	return fields
}

// parent is empty for a process that is gone. Unlike stat, status can be read of a process that hangs in execve(2),
// which any user's may for as long as it likes.
func parent(pid int) string {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(content), "\nPPid:\t")
	ppid, _, _ := strings.Cut(rest, "\n")
	return ppid
}

// isChild is false for processes without an exit signal: those that serve binds are ours, too, but nobody's job.
func isChild(pid int) bool {
	return parent(pid) == strconv.Itoa(os.Getpid()) && stat(pid)[statExitSignal] == strconv.Itoa(int(unix.SIGCHLD))
}

// children looks through all of /proc since not every kernel has /proc/PID/task/TID/children, and not at all where there
// is no child: most of a short command's start would go by with it.
func children() (pids []int) {
	if unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == unix.ECHILD {
		return nil
	}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && isChild(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func descends(pid int) bool {
	for pid > 0 && pid != os.Getpid() {
		pid, _ = strconv.Atoi(parent(pid))
	}
	return pid > 0
}

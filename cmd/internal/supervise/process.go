package supervise

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Fields of /proc/PID/stat (proc_pid_stat(5)), counted from the state, which follows the
// name.
const (
	statTerminal   = 4
	statForeground = 5 // the process group in the foreground of that terminal
	statExitSignal = 35
	statFields     = 36
)

// stat returns these fields of a process. All are empty if the process is gone.
func stat(pid int) []string {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// A process chooses its own name, which may contain blanks and parentheses.
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	if len(fields) < statFields {
		return make([]string, statFields)
	}
	return fields
}

// parent returns the id of the parent of a process, and "" if the process is gone. It
// reads the file status, because stat waits while the process hangs in execve(2), and a
// process of any user can hang there for as long as it likes.
func parent(pid int) string {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(content), "\nPPid:\t")
	ppid, _, _ := strings.Cut(rest, "\n")
	return ppid
}

// isChild reports whether pid is a child of this process that runs the command or a part
// of it. The helpers are children as well, but have no exit signal.
func isChild(pid int) bool {
	return parent(pid) == strconv.Itoa(os.Getpid()) &&
		stat(pid)[statExitSignal] == strconv.Itoa(int(unix.SIGCHLD))
}

// children returns the processes for which isChild is true. It looks through all of
// /proc, because not every kernel has /proc/PID/task/TID/children. It does so only if
// there is a child, since the look takes longer than all else at the start of a short
// command.
func children() (pids []int) {
	const look = unix.WEXITED | unix.WNOHANG | unix.WNOWAIT
	if unix.Waitid(unix.P_ALL, 0, nil, look, nil) == unix.ECHILD {
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

// descends reports whether pid is this process or a descendant of it.
func descends(pid int) bool {
	for pid > 0 && pid != os.Getpid() {
		pid, _ = strconv.Atoi(parent(pid))
	}
	return pid > 0
}

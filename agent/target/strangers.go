package target

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// cannotShare reports whether it is certain, without kcmp(2), that a task does not
// share the file table of the scan's thread. Every task that shares the table was
// cloned under the seccomp filter. A task without a filter does not count: it needs
// nobody's file table to bind what it likes.
//
// It reads nothing of the task and of its ancestors but /proc/PID/status, which never
// waits for exec_update_lock. A task in execve(2) holds that lock, for which in newer
// kernels (seen in 6.18.44) even the links in /proc/PID/ns wait.
//
// False proves nothing. True is a proof only if the kernel creates no task meanwhile:
// the ids of ancestors could be reused.
func (s *scan) cannotShare(other int, buffer []byte) bool {
	theirs, err := readStatus(other, buffer)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return true
	}
	if err != nil {
		return false
	}
	if mode, err := theirs.field("Seccomp"); err == nil && mode != "2" {
		return true
	}
	c, err := theirs.credentials()
	if err == nil && !slices.Contains(c.uid[:], uint32(os.Getuid())) && keepsAgentUser(s.tid) {
		return true
	}
	if s.home == 0 {
		return false
	}
	first, inside, err := outermostInit(other)
	return err == nil && (!inside || first != s.home)
}

// keepsAgentUser reports whether everything that runs under the filter of thread tid
// has this process's uid: thread tid has it, and no_new_privs rules out that a
// program gives it another one.
func keepsAgentUser(tid int) bool {
	its, err := readStatus(tid, nil)
	if err != nil {
		return false
	}
	c, err := its.credentials()
	uid := uint32(os.Getuid())
	if uid == 0 || err != nil || c.uid != [4]uint32{uid, uid, uid, uid} ||
		!(&Thread{tid: tid}).sharesWithAgent("ns/user") {
		return false
	}
	fixed, err := its.field("NoNewPrivs")
	return err == nil && fixed == "1"
}

// Home returns the first process of the outermost pid namespace, below that of this
// process, that process pid is in. It returns 0 if pid is in this process's own pid
// namespace, or if that cannot be told: pid joined the namespace from outside.
//
// Everything that runs under a filter that was loaded there stays there: a task can
// enter no other pid namespace than those inside its own, pid_namespaces(7).
func Home(pid int) int {
	first, inside, err := outermostInit(pid)
	if err != nil || !inside {
		return 0
	}
	return first
}

// errJoined means that a process joined its pid namespace, so that its ancestors do
// not say which one that is.
var errJoined = errors.New("the process joined its pid namespace from outside")

// outermostInit climbs from a task to its ancestor that is the first process of a pid
// namespace one level below that of this process. inside is false if the task is in
// this process's own pid namespace, where it has a single id. A child is always in its
// parent's pid namespace or in one inside of that, also after it was given to another
// parent.
func outermostInit(task int) (first int, inside bool, err error) {
	for inside = false; ; inside = true {
		status, err := readStatus(task, nil)
		if err != nil {
			return 0, inside, err
		}
		text, err := status.field("NSpid")
		if err != nil {
			return 0, inside, err
		}
		ids := bytes.Fields([]byte(text))
		if len(ids) < 2 {
			if inside {
				return 0, inside, errJoined
			}
			return 0, false, nil
		}
		if len(ids) == 2 && string(ids[1]) == "1" {
			first, err := strconv.Atoi(string(ids[0]))
			return first, true, err
		}
		if task, err = status.parent(); err != nil {
			return 0, inside, err
		}
	}
}

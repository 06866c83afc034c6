package supervise

// #include "child.h"
import "C"

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// A step is what the child does before it executes CMD, and the call that can fail.
type step struct{ what, call string }

var steps = map[uint32]step{
	C.STAGE_PRIVILEGES: {"set no_new_privs", "prctl(2)"},
	C.STAGE_LOCK:       {"restrict the command by Landlock", "landlock_restrict_self(2)"},
	C.STAGE_FILTER:     {"load the filter", "seccomp(2)"},
}

// childFailure returns the failure for a child that could not restrict itself, with what
// its user can do about it.
func childFailure(at uint32, errno unix.Errno) failure {
	s := steps[at]
	message := fmt.Sprintf("%s: %v", s.what, errno)
	if mend := s.mend(at == C.STAGE_FILTER, errno); mend != "" {
		message += ": " + mend
	}
	return failure{message, cli.StatusFailure}
}

func (s step) mend(filter bool, errno unix.Errno) string {
	switch errno {
	case unix.EBUSY:
		return busy()
	case unix.EACCES, unix.EPERM, unix.ENOSYS:
		return fmt.Sprintf("a seccomp filter or a security module around port-restricter, or a"+
			" kernel without it, refuses %s: allow it there (in a systemd unit"+
			" SystemCallFilter=@sandbox, in a container its seccomp profile)", s.call)
	case unix.EINVAL:
		if filter {
			return "the kernel does not take such a filter: port-restricter needs" +
				" CONFIG_SECCOMP_FILTER and Linux 5.8 or newer"
		}
	case unix.ENOMEM:
		if filter {
			return "there is no memory left, or the filters around port-restricter are too" +
				" long together: run it under fewer of them"
		}
		return "there is no memory left"
	case unix.E2BIG:
		return "the programs around port-restricter use up the kernel's 16 layers of Landlock:" +
			" run it under fewer of them"
	case unix.EMFILE, unix.ENFILE:
		return "no fd is free: raise the limit of open files (ulimit -n)"
	}
	return ""
}

// busy explains EBUSY: another supervisor has a filter on this process.
func busy() string {
	who := "another supervisor: an agent around this container, for example, or a sandbox"
	mend := "give the ports to that one, and run the command without this port-restricter"
	if pid := outer(); pid != 0 {
		who = fmt.Sprintf("the port-restricter that is process %d", pid)
		mend = "name all ports in its -p, and run the command without a second port-restricter"
	}
	return "a process can have one supervisor of its binds (seccomp notify fd), and this one" +
		" already has " + who + ": " + mend
}

// outer returns the id of an ancestor that is port-restricter, or 0 if none is seen. A
// process chooses its name, so this is good for a message only.
func outer() int {
	const name = "port-restricter"
	for pid := os.Getppid(); pid > 0; pid, _ = strconv.Atoi(parent(pid)) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if strings.TrimSpace(string(comm)) == name {
			return pid
		}
	}
	return 0
}

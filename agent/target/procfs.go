package target

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CheckProc fails if /proc belongs to another pid namespace than this process. The
// numbers there would name other processes than the targets.
func CheckProc() error {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return fmt.Errorf("find this process in /proc, which must be mounted: %w", err)
	}
	if self != strconv.Itoa(os.Getpid()) {
		return fmt.Errorf("/proc belongs to another pid namespace, where this process %d is %s: "+
			"mount the /proc of its own (unshare --mount-proc)", os.Getpid(), self)
	}
	return nil
}

// checkComplete fails if the open /proc may hide processes (hidepid=, proc(5)) from a
// thread that does not see all of them in any case. /proc can be mounted again with
// other options at any time.
func checkComplete(proc int) error {
	var directory unix.Stat_t
	if err := unix.Fstat(proc, &directory); err != nil {
		return fmt.Errorf("inspect /proc: %w", err)
	}
	mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return fmt.Errorf("find out how /proc is mounted: %w", err)
	}
	options, known := superOptions(string(mounts), directory.Dev)
	if known && !strings.Contains(options, "hidepid=") {
		return nil
	}
	return errors.New("/proc does not show every process (hidepid=)")
}

// seesAllProcesses reports whether no /proc hides a process from the calling thread. It
// hides those that the thread may not trace, so none from a thread with CAP_SYS_PTRACE
// in the initial user namespace.
func seesAllProcesses() bool {
	ours, err := credentialsOf(unix.Gettid())
	if err != nil {
		return false
	}
	const initialUserNamespace = "user:[4026531837]" // PROC_USER_INIT_INO, linux/proc_ns.h
	namespace, err := os.Readlink("/proc/thread-self/ns/user")
	return err == nil && namespace == initialUserNamespace &&
		ours.effective&(1<<unix.CAP_SYS_PTRACE) != 0
}

// superOptions returns the options of the file system on a device, from the text
// of /proc/PID/mountinfo, proc_pid_mountinfo(5).
func superOptions(mountinfo string, device uint64) (options string, known bool) {
	number := fmt.Sprintf("%d:%d", unix.Major(device), unix.Minor(device))
	for line := range strings.Lines(mountinfo) {
		words := strings.Fields(line)
		if len(words) > 3 && words[2] == number {
			return words[len(words)-1], true
		}
	}
	return "", false
}

package target

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// neutralUID is a uid that useradd, subuid(5) ranges and containers never assign.
// A thread with this uid owns no user namespace; the owner of a namespace has
// every capability in it, user_namespaces(7).
const neutralUID = 0xfffffffd

// BecomeNeutral locks the calling goroutine to its OS thread and takes every
// privilege that a target might borrow from that thread. The thread works with
// CAP_SYS_PTRACE, by which nothing can be bound, and with an effective uid that owns
// nothing. Other capabilities stay permitted but not effective. Only the helper of
// MakeCall raises them, and then gives up those that the target does not have. Linux
// keeps credentials per thread, so the goroutine must never be unlocked.
//
// neutral is false if the uid could not be changed, which needs CAP_SETUID. The
// thread then owns the user namespaces that its own user made.
func BecomeNeutral() (neutral bool, err error) {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return false, fmt.Errorf("read the capabilities of a worker thread: %w", err)
	}
	if caps[0].Permitted&(1<<unix.CAP_SETUID) != 0 {
		caps[0].Effective |= 1 << unix.CAP_SETUID
		if err := unix.Capset(&header, &caps[0]); err != nil {
			return false, fmt.Errorf("raise CAP_SETUID in a worker thread: %w", err)
		}
		keep := ^uintptr(0)
		// A raw system call: unix.Setresuid would change every thread.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, neutralUID, keep); errno != 0 {
			return false, fmt.Errorf("give a worker thread a uid that owns nothing: %w", errno)
		}
		neutral = true
		// The kernel has reset the flag to fs.suid_dumpable, which may be 1.
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return false, fmt.Errorf("make the process undumpable again: %w", err)
		}
	}
	caps[0].Effective = caps[0].Permitted & (1 << unix.CAP_SYS_PTRACE)
	caps[1].Effective = 0
	if err := unix.Capset(&header, &caps[0]); err != nil {
		return false, fmt.Errorf("drop the capabilities of a worker thread: %w", err)
	}
	return neutral, nil
}

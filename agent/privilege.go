package agent

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// neutralUID is an id that useradd, subuid and containers never hand out: a
// thread that has it owns no user namespace, and the owner of a namespace has
// every capability in it, user_namespaces(7).
const neutralUID = 0xfffffffd

// becomeNeutral locks the calling goroutine to its OS thread and takes from
// that thread, for good, all that a target might borrow: it works with
// CAP_SYS_PTRACE, with which nothing can be bound, and an effective uid that
// owns nothing. What remains is permitted but not effective; only the helper
// process of actAsTarget takes it up again, to give it away. Linux keeps
// credentials by the thread; the goroutine must never be unlocked.
//
// neutral is false where the uid could not be changed, so without root: then
// the thread owns the user namespaces that its own user made.
func becomeNeutral() (neutral bool, err error) {
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
		// The raw call: unix.Setresuid would change every thread.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, neutralUID, keep); errno != 0 {
			return false, fmt.Errorf("give a worker thread a uid that owns nothing: %w", errno)
		}
		neutral = true
		// The kernel has set it to fs.suid_dumpable, which can be 1.
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return false, fmt.Errorf("protect the engine's memory from other processes of its user: %w", err)
		}
	}
	caps[0].Effective = caps[0].Permitted & (1 << unix.CAP_SYS_PTRACE)
	caps[1].Effective = 0
	if err := unix.Capset(&header, &caps[0]); err != nil {
		return false, fmt.Errorf("drop the capabilities of a worker thread: %w", err)
	}
	return neutral, nil
}

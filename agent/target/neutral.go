package target

// #include "helper.h"
import "C"

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// NeutralUID is a uid that useradd, subuid(5) ranges and containers never assign.
// A thread with this uid owns no user namespace; the owner of a namespace has
// every capability in it, user_namespaces(7).
const NeutralUID = C.NEUTRAL_UID

// HasNeutralUID reports whether a thread of this process, or a helper, can take the
// neutral uid. That needs CAP_SETUID, and a user namespace that maps the uid: a sandbox
// often maps a single uid, and a rootless container those of subuid(5).
func HasNeutralUID() bool {
	caps, err := readCapabilities()
	if err != nil || caps.permitted&(1<<unix.CAP_SETUID) == 0 {
		return false
	}
	mapped, err := readIDMap(unix.AT_FDCWD, "/proc/thread-self/uid_map")
	return err == nil && mapped.hasInside(NeutralUID)
}

// BecomeNeutral locks the calling goroutine to its OS thread and takes every
// privilege that a target might borrow from that thread. The thread works with
// CAP_SYS_PTRACE, by which nothing can be bound, and with an effective uid that owns
// nothing. Other capabilities stay permitted but not effective. Only the helper of
// MakeCall raises them, and then gives up those that the target does not have, and so
// does a look into a target's /proc directory. Linux keeps credentials per thread, so
// the goroutine must never be unlocked.
//
// neutral is false if the thread keeps its uid. It then owns the user namespaces that
// its own user made. It must keep the uid without CAP_SYS_PTRACE, by which it could
// inspect its targets no longer, and where HasNeutralUID is false.
func BecomeNeutral() (neutral bool, err error) {
	runtime.LockOSThread()
	caps, err := readCapabilities()
	if err != nil {
		return false, fmt.Errorf("read the capabilities of a worker thread: %w", err)
	}
	const ptrace = 1 << unix.CAP_SYS_PTRACE
	if caps.permitted&ptrace != 0 && HasNeutralUID() {
		caps.effective |= 1 << unix.CAP_SETUID
		if err := caps.set(); err != nil {
			return false, fmt.Errorf("raise CAP_SETUID in a worker thread: %w", err)
		}
		keep := ^uintptr(0)
		// A raw system call: unix.Setresuid would change every thread.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, NeutralUID, keep); errno != 0 {
			return false, fmt.Errorf("give a worker thread a uid that owns nothing: %w", errno)
		}
		neutral = true
		// The kernel has reset the flag to fs.suid_dumpable, which may be 1.
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return false, fmt.Errorf("make the process undumpable again: %w", err)
		}
	}
	// A process without capabilities needs no capset(2), which a sandbox may refuse.
	if work := caps.permitted & ptrace; caps.effective != work {
		caps.effective = work
		if err := caps.set(); err != nil {
			return false, fmt.Errorf("drop the capabilities of a worker thread: %w", err)
		}
	}
	return neutral, nil
}

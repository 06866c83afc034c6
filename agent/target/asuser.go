package target

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asItsUser calls look with the target's user and group as those of the calling thread, if
// that is how the thread may inspect the target: ptrace(2) compares them where there is no
// CAP_SYS_PTRACE, as for root in a container. It reports whether it called look.
//
// With files the thread has the ids for /proc, too. Nothing but a look into the target
// may be done meanwhile.
//
// A process of that user may then signal the thread, and so end the supervisor. So only a
// process that is the reaper of its targets does this: they can take away nobody's ports
// but their own.
func (t *Thread) asItsUser(files bool, look func()) bool {
	before, err := readCapabilities()
	const some = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	if err != nil || before.permitted&some == 0 || !isReaper() {
		return false
	}
	ours, err := credentialsOf(unix.Gettid())
	if err != nil {
		return false
	}
	theirs, err := credentialsOf(t.tid)
	if err != nil {
		return false
	}
	raised := before
	raised.effective = raised.permitted
	if raised.set() != nil {
		return false
	}
	defer surely(before.set)
	defer surely(func() error { return setRealIDs(ours.uid[0], ours.gid[0]) })
	if setRealIDs(theirs.uid[0], theirs.gid[0]) != nil {
		return false
	}
	if files {
		defer surely(stayUndumpable)
		_ = unix.Setfsgid(int(theirs.gid[0]))
		_ = unix.Setfsuid(int(theirs.uid[0]))
		if stayUndumpable() != nil || raised.set() != nil { // the change of ids dropped some
			return false
		}
	}
	look()
	return true
}

// setRealIDs sets the real uid and gid of the calling thread. The kernel sets those for the
// file system to the effective ones. unix.Setresuid would change every thread.
func setRealIDs(uid, gid uint32) error {
	keep := ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), keep, keep); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), keep, keep); errno != 0 {
		return errno
	}
	return nil
}

// stayUndumpable repeats what a change of ids takes back.
func stayUndumpable() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// isReaper reports whether this process is the reaper of its descendants, as the command
// line is. The agent's own filter refuses the question.
func isReaper() bool {
	var reaper int32
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER,
		uintptr(unsafe.Pointer(&reaper)), 0)
	return errno == 0 && reaper == 1
}

// surely repeats a call that takes a privilege back. It fails for lack of memory only, and
// the thread must not go on before.
func surely(call func() error) {
	for call() != nil {
		time.Sleep(time.Millisecond)
	}
}

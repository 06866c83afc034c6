package agent

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// A target is the thread that waits for an answer: the second seam at which
// tests put something else.
type target interface {
	// read copies len(p) bytes at addr of the target's memory, all or EFAULT.
	// The target chooses the page: this may block for as long as the target
	// wishes (userfaultfd, a hung FUSE file).
	read(addr uint64, p []byte) error
	// socket duplicates the target's fd. EBADF as the target would get it, and
	// no other errno.
	socket(fd int) (int, error)
	// exclusive says that nobody else can change what the target's fds are.
	exclusive() bool
	// foreign says that the target is in another user namespace than we.
	foreign() bool
	// actAsTarget makes the call in the target's own context, with a copy of
	// its argument. The error is the call's errno, or errNotActed.
	actAsTarget(c *call, socket int, data []byte, stillValid func() bool) error
	close()
}

// pidfdThread is PIDFD_THREAD (Linux 6.9): the pidfd of a thread, not of its
// group, so that pidfd_getfd(2) looks into the thread's own file table.
const pidfdThread = unix.O_EXCL

// A thread is a real target, held by a pidfd.
type thread struct {
	tid   int
	pidfd int
	exact bool // the pidfd is the thread's, not its leader's
	kept  bool // by threads, beyond this notification
}

// errUnreadable is the reason why a target can't be looked into; its bind is
// refused, since what can't be checked can't be allowed.
var errUnreadable = errors.New("its process can't be looked into (it made itself undumpable, or runs with privileges the agent lacks)")

// openThread takes hold of the thread tid. The id may have been reused since
// the notification came: whoever opens it asks notifier.valid afterwards.
func openThread(tid uint32) (thread, error) {
	if tid == 0 {
		return thread{}, errors.New("its process is not visible from the agent's pid namespace: run the agent in the host's")
	}
	pidfd, err := unix.PidfdOpen(int(tid), pidfdThread)
	exact := err == nil
	if errors.Is(err, unix.EINVAL) {
		pidfd, err = openLeader(int(tid))
	}
	if err != nil {
		return thread{}, fmt.Errorf("open a pidfd of thread %d: %w", tid, err)
	}
	return thread{tid: int(tid), pidfd: pidfd, exact: exact}, nil
}

// threads keeps the pidfds of the threads that a worker served last, for as
// long as it stays with their session. A thread's pidfd never means another
// one: once it is gone ESRCH is all that it says, whoever has the id by then. A
// leader's pidfd is not kept, since a thread can leave its leader's file table.
type threads [8]thread

// open is openThread, with the pidfd from before if there is one.
func (known *threads) open(tid uint32) (target, error) {
	t := &known[tid%uint32(len(known))]
	if t.kept && t.tid == int(tid) {
		return t, nil
	}
	fresh, err := openThread(tid)
	if err != nil {
		return nil, err
	}
	t.forget()
	*t = fresh
	t.kept = fresh.exact
	return t, nil
}

func (known *threads) forget() {
	for i := range known {
		known[i].forget()
	}
}

func (t *thread) forget() {
	if t.kept {
		unix.Close(t.pidfd)
		t.kept = false
	}
}

// openLeader serves kernels before 6.9, whose pidfds know thread groups only.
// A thread with a file table of its own can't be served there: the leader's
// table would be asked for its fd numbers.
func openLeader(tid int) (int, error) {
	status, err := readStatus(tid, nil)
	if err != nil {
		return -1, err
	}
	tgid, err := status.field("Tgid")
	if err != nil {
		return -1, err
	}
	leader, err := strconv.Atoi(tgid)
	if err != nil {
		return -1, fmt.Errorf("read the thread group of thread %d: %w", tid, err)
	}
	pidfd, err := unix.PidfdOpen(leader, 0)
	if err != nil {
		return -1, err
	}
	if same, err := sameFiles(tid, leader); err != nil || !same {
		unix.Close(pidfd)
		return -1, fmt.Errorf("thread %d has a file table of its own, which needs Linux 6.9 to be looked into", tid)
	}
	return pidfd, nil
}

func (t *thread) exclusive() bool { return exclusiveFiles(t.tid) }

func (t *thread) foreign() bool { return !t.sharesWithUs("ns/user") }

func (t *thread) close() {
	if !t.kept {
		unix.Close(t.pidfd)
	}
}

// socket waits while another thread of the target's group is in execve(2), for
// as long as the target likes: no raw call, which would hold the Go scheduler.
func (t *thread) socket(fd int) (int, error) {
	dup, err := unix.PidfdGetfd(t.pidfd, fd, 0)
	if err == unix.ESRCH && t.kept { // of a thread that had the id before
		t.forget()
		t.pidfd = -1 // closed: its number may be another fd's by the time of close
		fresh, openErr := openThread(uint32(t.tid))
		if openErr != nil {
			return -1, openErr
		}
		*t = fresh
		t.kept = fresh.exact
		dup, err = unix.PidfdGetfd(t.pidfd, fd, 0)
	}
	switch err {
	case nil:
		return dup, nil
	case unix.EBADF:
		return -1, err
	case unix.EPERM:
		return -1, errUnreadable
	}
	return -1, fmt.Errorf("duplicate fd %d of thread %d: %w", fd, t.tid, err)
}

func (t *thread) read(addr uint64, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	local := unix.Iovec{Base: &p[0]}
	local.SetLen(len(p))
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(p)}
	n, err := unix.ProcessVMReadv(t.tid, []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
	switch {
	case errors.Is(err, unix.EPERM):
		return errUnreadable
	case err != nil && !errors.Is(err, unix.EFAULT) && !errors.Is(err, unix.EINVAL):
		return fmt.Errorf("read %d bytes of thread %d's memory: %w", len(p), t.tid, err)
	case err != nil || n < len(p):
		return unix.EFAULT
	}
	return nil
}

package target

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// pidfdThread is PIDFD_THREAD (Linux 6.9). The pidfd then refers to a thread, not
// to its thread group, and pidfd_getfd(2) uses the file table of that thread.
const pidfdThread = unix.O_EXCL

// A Thread is a thread of another process, held by a pidfd.
type Thread struct {
	tid    int
	pidfd  int
	exact  bool // the pidfd refers to the thread itself, not to its thread group
	cached bool // the Cache holds the pidfd beyond this notification

	foreign bool // the socket could be duplicated by asItsUser only
}

// errUnreadable is why a target cannot be inspected. Its bind is refused: what
// cannot be checked cannot be allowed.
var errUnreadable = errors.New("its process can't be inspected without CAP_SYS_PTRACE " +
	"(it made itself undumpable, changed its user, or has privileges that the agent lacks)")

// open opens a pidfd of thread tid. The id may have been reused since the
// notification came.
func open(tid uint32) (Thread, error) {
	if tid == 0 {
		return Thread{}, errors.New("its process is not visible from the agent's pid namespace: " +
			"run the agent in the host's")
	}
	pidfd, err := unix.PidfdOpen(int(tid), pidfdThread)
	exact := err == nil
	if errors.Is(err, unix.EINVAL) {
		pidfd, err = openLeader(int(tid))
	}
	if err != nil {
		return Thread{}, fmt.Errorf("open a pidfd of thread %d: %w", tid, err)
	}
	return Thread{tid: int(tid), pidfd: pidfd, exact: exact}, nil
}

// openLeader serves kernels before 6.9, whose pidfds refer to thread groups only.
// A thread with a file table of its own cannot be served there: its fd numbers
// would be looked up in the file table of the group's leader.
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
	if tid != leader {
		if err := checkSharesFiles(tid, leader); err != nil {
			unix.Close(pidfd)
			return -1, err
		}
	}
	return pidfd, nil
}

// checkSharesFiles fails unless a thread shares the file table of its group's leader.
func checkSharesFiles(tid, leader int) error {
	same, err := sameFiles(tid, leader)
	switch {
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("the kernel has no kcmp(2) to tell whether thread %d shares the file "+
			"table of process %d: it needs CONFIG_KCMP, or Linux 6.9", tid, leader)
	case errors.Is(err, unix.EPERM):
		return errUnreadable
	case err != nil:
		return err
	case !same:
		return fmt.Errorf(
			"thread %d has a file table of its own, which needs Linux 6.9 to be inspected", tid)
	}
	return nil
}

// A Cache holds the pidfds of the threads that one worker served last, for as
// long as the worker stays with their session. The pidfd of a thread never refers
// to another one: once the thread has ended, every use fails with ESRCH, even if
// its id was reused. The pidfd of a thread group is not held, since a thread can
// leave the file table of its leader.
//
// A Cache is for one goroutine, and so are the threads that it returns. The zero
// value is empty.
type Cache [8]Thread

// Open returns the thread with the id tid. The thread is valid until the next
// call of Open.
func (c *Cache) Open(tid uint32) (*Thread, error) {
	t := &c[tid%uint32(len(c))]
	if t.cached && t.tid == int(tid) {
		return t, nil
	}
	opened, err := open(tid)
	if err != nil {
		return nil, err
	}
	t.forget()
	*t = opened
	t.cached = opened.exact
	return t, nil
}

// Forget closes all pidfds that the cache holds.
func (c *Cache) Forget() {
	for i := range c {
		c[i].forget()
	}
}

func (t *Thread) forget() {
	if t.cached {
		unix.Close(t.pidfd)
		t.cached = false
	}
}

// Close closes the pidfd, unless a Cache keeps it.
func (t *Thread) Close() {
	if !t.cached {
		unix.Close(t.pidfd)
	}
}

// Socket duplicates fd of the thread. Its only bare errno is EBADF, which is what
// the thread itself would get; any other error is wrapped.
//
// pidfd_getfd(2) waits while another thread of the same group is in execve(2),
// for as long as the target likes. So the call must not be a raw one, of which
// the Go scheduler would not know.
func (t *Thread) Socket(fd int) (int, error) {
	dup, err := unix.PidfdGetfd(t.pidfd, fd, 0)
	if err == unix.ESRCH && t.cached { // the pidfd of an earlier thread with this id
		t.forget()
		t.pidfd = -1 // if open fails, Close must not close a number that was reused
		opened, openErr := open(uint32(t.tid))
		if openErr != nil {
			return -1, openErr
		}
		*t = opened
		t.cached = opened.exact
		dup, err = unix.PidfdGetfd(t.pidfd, fd, 0)
	}
	t.foreign = err == unix.EPERM &&
		t.asItsUser(false, func() { dup, err = unix.PidfdGetfd(t.pidfd, fd, 0) })
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

// Read copies len(p) bytes at addr in the thread's memory. Its only bare errno is
// EFAULT, for memory of which any part cannot be read; any other error is wrapped.
//
// The target chooses the page, so Read may block for as long as the target likes
// (userfaultfd, a FUSE file whose server does not answer).
func (t *Thread) Read(addr uint64, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	local := unix.Iovec{Base: &p[0]}
	local.SetLen(len(p))
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(p)}
	var n int
	var err error
	read := func() {
		n, err = unix.ProcessVMReadv(t.tid, []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
	}
	if read(); err == unix.EPERM {
		t.asItsUser(false, read)
	}
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

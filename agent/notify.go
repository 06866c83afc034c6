package agent

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ioctls of a seccomp notify fd, seccomp_unotify(2). The numbers contain the
// sizes of the structs below, which have not changed since Linux 5.0.
const (
	ioctlRecv     = 0xc0502100
	ioctlSend     = 0xc0182101
	ioctlIDValid  = 0x40082102
	ioctlSetFlags = 0x40082104

	// fdSyncWakeUp makes the kernel wake the supervisor on the target's CPU, and
	// the target on the supervisor's (SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux
	// 6.6). A synchronous call needs no second CPU, and a wake-up across CPUs
	// costs more than all the rest of a bind.
	fdSyncWakeUp = 1

	// respondContinue makes the kernel run the call as the target made it
	// (SECCOMP_USER_NOTIF_FLAG_CONTINUE, Linux 5.5).
	respondContinue = 1
)

// recalled in notification.Flags ends the wait for a notification.
const recalled = 1

// errRecalled means that worker.recall ended the wait.
var errRecalled = errors.New("recalled")

// A notification is struct seccomp_notif. PID is the id of a thread in the
// receiver's pid namespace, or 0 if the thread is not visible there.
type notification struct {
	ID    uint64
	PID   uint32
	Flags atomic.Uint32 // the kernel does not use it yet; worker.recall stores recalled
	NR    int32
	Arch  uint32
	IP    uint64
	Args  [6]uint64
}

// A response is struct seccomp_notif_resp.
type response struct {
	ID    uint64
	Val   int64
	Error int32
	Flags uint32
}

// A notifier is the kernel's side of one session. It is the first seam at which
// tests put something else.
type notifier interface {
	// receive waits for a notification and fills n. ENOENT means that the
	// notification was withdrawn before it was read (its thread got a signal or
	// died), or that no process is left that could notify. errRecalled means that
	// worker.recall ended the wait.
	receive(n *notification) error
	// valid reports whether the thread that sent notification id still waits.
	valid(id uint64) bool
	// respond answers a notification. ENOENT means that nobody waits any more.
	respond(r *response) error
}

// A notifyFD is a seccomp notify fd.
type notifyFD int

// newNotifyFD returns fd as a notifier. It fails if fd is not a seccomp notify fd.
func newNotifyFD(fd int) (notifyFD, error) {
	kind, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return -1, fmt.Errorf("determine what the seccomp fd is: %w", err)
	}
	if kind != "anon_inode:seccomp notify" {
		return -1, fmt.Errorf(
			"the seccomp fd is %q, not a seccomp notify fd: the runtime sent the wrong fd", kind)
	}
	// Kernels before 6.6 don't have it (EINVAL). There, each bind is only slower.
	_ = unix.IoctlSetInt(fd, ioctlSetFlags, fdSyncWakeUp)
	return notifyFD(fd), nil
}

func (fd notifyFD) receive(n *notification) error {
	// The kernel accepts a zeroed struct only.
	n.ID, n.PID, n.NR, n.Arch, n.IP, n.Args = 0, 0, 0, 0, 0, [6]uint64{}
	n.Flags.Store(0)
	err := ioctl(int(fd), ioctlRecv, unsafe.Pointer(n))
	if errors.Is(err, unix.EINVAL) && n.Flags.Load() == recalled {
		return errRecalled
	}
	return err
}

func (fd notifyFD) valid(id uint64) bool {
	return ioctl(int(fd), ioctlIDValid, unsafe.Pointer(&id)) == nil
}

func (fd notifyFD) respond(r *response) error {
	return ioctl(int(fd), ioctlSend, unsafe.Pointer(r))
}

// ioctl retries on EINTR: the Go runtime preempts its own threads by signals.
func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		if errno == 0 {
			return nil
		}
		if !errors.Is(errno, unix.EINTR) {
			return errno
		}
	}
}

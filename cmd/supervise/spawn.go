package supervise

import (
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawned is the child, before and after its exec of CMD.
type spawned struct {
	pid, pidfd int
	conn       *net.UnixConn // our end of the socketpair
	failure    *os.File      // our end of the error pipe: EOF without a byte when CMD runs
}

func (c Command) spawn() (child spawned, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return child, fmt.Errorf("make a socketpair for the child: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "child"), os.NewFile(uintptr(pair[1]), "engine")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return child, fmt.Errorf("use the socketpair: %w", err)
	}
	failure, theirFailure, err := os.Pipe()
	if err != nil {
		return child, fmt.Errorf("make the error pipe of the child: %w", err)
	}
	defer theirFailure.Close()

	h := handover{socket: pair[1], errors: int(theirFailure.Fd()), ignored: atStart.ignored, blocked: atStart.blocked}
	argv := slices.Concat([]string{os.Args[0], ChildCommand}, c.ChildFlags, []string{h.String()}, c.Args)
	pidfd := -1
	pid, err := syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{
		Env:   environment(),
		Files: inheritedFiles(h.socket, h.errors),
		Sys:   &syscall.SysProcAttr{PidFD: &pidfd},
	})
	if err != nil {
		return child, fmt.Errorf("re-execute /proc/self/exe: %w", err)
	}
	return spawned{pid: pid, pidfd: pidfd, conn: conn.(*net.UnixConn), failure: failure}, nil
}

// inheritedFiles gives the child every descriptor that we were given, at its own number, and ours to pass. ForkExec makes
// them inheritable in the fork only, so that none is ever so in the parent, where others fork too.
func inheritedFiles(pass ...int) []uintptr {
	files := make([]uintptr, slices.Max(pass)+1)
	for fd := range files {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		given := err == nil && flags&unix.FD_CLOEXEC == 0 && !closedAtStart(fd)
		if files[fd] = uintptr(fd); !given && !slices.Contains(pass, fd) {
			files[fd] = ^uintptr(0) // closed in the child
		}
	}
	return files
}

package confine

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// role is the environment variable that makes the test binary a process that tries
// every call, under the filter or without it.
const role = "PORT_RESTRICTER_CONFINE_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "confined":
		if err := LoadFilter(notifyFD, helpersFD); err != nil {
			panic(err)
		}
	}
	tryAll(offTheList)
	tryAll(onTheList)
}

// A try makes a call in a way that the kernel refuses or that does no harm. A result
// of ENOSYS shows that the filter refused the call before the kernel looked at it.
type try struct {
	name string
	make func() unix.Errno
}

func raw(nr uintptr, args ...uintptr) func() unix.Errno {
	return func() unix.Errno {
		var a [6]uintptr
		copy(a[:], args)
		_, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		return errno
	}
}

func open(flags int) func() unix.Errno {
	return func() unix.Errno {
		fd, err := unix.Open("/dev/null", flags, 0)
		if err != nil {
			return err.(unix.Errno)
		}
		unix.Close(fd)
		return 0
	}
}

// notifyFD and helpersFD are the fds to which the filter lets a process send messages.
const (
	notifyFD  = 1000
	helpersFD = 1001
)

const nowhere = ^uintptr(0) // not an address, an fd or a process

var parent = uintptr(os.Getppid())

// offTheList are calls that the filter must refuse.
var offTheList = []try{
	{"execve", raw(unix.SYS_EXECVE, nowhere)},
	{"execveat", raw(unix.SYS_EXECVEAT, nowhere, nowhere)},
	{"ptrace another process", raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, nowhere)},
	{"write another process's memory", raw(unix.SYS_PROCESS_VM_WRITEV, nowhere, 0, 0, 0, 0, 0)},
	{"socket", raw(unix.SYS_SOCKET, unix.AF_PACKET, nowhere)},
	{"connect", raw(unix.SYS_CONNECT, nowhere)},
	{"send to another fd", raw(unix.SYS_SENDMSG, notifyFD+2)},
	{"open for writing", open(unix.O_WRONLY)},
	{"open for reading and writing", open(unix.O_RDWR)},
	{"open and create", open(unix.O_CREAT)},
	{"openat2", raw(unix.SYS_OPENAT2, nowhere)},
	{"rename", raw(unix.SYS_RENAMEAT2, nowhere)},
	{"chmod", raw(unix.SYS_FCHMODAT, nowhere)},
	{"chown", raw(unix.SYS_FCHOWNAT, nowhere)},
	{"mkdir", raw(unix.SYS_MKDIRAT, nowhere)},
	{"link", raw(unix.SYS_LINKAT, nowhere)},
	{"mount", raw(unix.SYS_MOUNT, nowhere)},
	{"move_mount", raw(unix.SYS_MOVE_MOUNT, nowhere)},
	{"unshare", raw(unix.SYS_UNSHARE, nowhere)},
	{"enter a network namespace", raw(unix.SYS_SETNS, nowhere, unix.CLONE_NEWNET)},
	{"enter a user namespace", raw(unix.SYS_SETNS, nowhere, unix.CLONE_NEWUSER)},
	{"enter any namespace", raw(unix.SYS_SETNS, nowhere, 0)},
	{"take another user", raw(unix.SYS_SETRESUID, nowhere, 1000, nowhere)},
	{"take a group", raw(unix.SYS_SETRESGID, nowhere, nowhere, nowhere)},
	{"take groups", raw(unix.SYS_SETGROUPS, nowhere, 0)},
	{"take a user for files", raw(unix.SYS_SETFSUID, nowhere)},
	{"take a root directory", raw(unix.SYS_CHROOT, nowhere)},
	{"take a working directory", raw(unix.SYS_FCHDIR, nowhere)},
	{"keep capabilities", raw(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 2)},
	{"clone into a user namespace", raw(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_THREAD)},
	{"clone3", raw(unix.SYS_CLONE3, nowhere, 0)},
	{"bpf", raw(unix.SYS_BPF, nowhere)},
	{"io_uring", raw(unix.SYS_IO_URING_SETUP, 0, nowhere)},
	{"keyctl", raw(unix.SYS_KEYCTL, nowhere)},
	{"seccomp", raw(unix.SYS_SECCOMP, nowhere)},
	{"signal another process", raw(unix.SYS_KILL, parent, 0)},
	{"signal another thread", raw(unix.SYS_TGKILL, parent, parent, 0)},
	{"signal by pidfd", raw(unix.SYS_PIDFD_SEND_SIGNAL, nowhere, uintptr(unix.SIGKILL))},
	{"make memory executable", raw(unix.SYS_MPROTECT, 0, 0, unix.PROT_EXEC)},
	{"map executable memory", raw(unix.SYS_MMAP, 0, 0, unix.PROT_EXEC, unix.MAP_PRIVATE, nowhere)},
	{"become traceable", raw(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1)},
	{"raise ambient capabilities", raw(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, nowhere)},
	{"put input into a terminal", raw(unix.SYS_IOCTL, 0, unix.TIOCSTI, nowhere)},
	{"put fds into a target", raw(unix.SYS_IOCTL, nowhere, unix.SECCOMP_IOCTL_NOTIF_ADDFD)},
}

// onTheList are calls that the filter must allow.
var onTheList = []try{
	{"open for reading", open(unix.O_RDONLY)},
	{"send to the manager", raw(unix.SYS_SENDMSG, notifyFD, nowhere)},
	{"send to helpers", raw(unix.SYS_SENDMSG, helpersFD, nowhere)},
	{"signal itself", raw(unix.SYS_KILL, uintptr(os.Getpid()), 0)},
	{"stay untraceable", raw(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0)},
	{"answer a target", raw(unix.SYS_IOCTL, nowhere, unix.SECCOMP_IOCTL_NOTIF_SEND)},
	{"take a target's fd", raw(unix.SYS_PIDFD_GETFD, nowhere)},
	{"map memory",
		raw(unix.SYS_MMAP, 0, 1, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, nowhere)},
	{"start a thread, and collect garbage", func() unix.Errno {
		done := make(chan bool)
		go func() { runtime.LockOSThread(); done <- true }() // the thread ends with the goroutine
		<-done
		runtime.GC()
		return 0
	}},
}

// tryAll makes each call twice and prints both results: from a thread that existed
// before the filter was loaded, and from one that was started later.
func tryAll(tries []try) {
	for _, t := range tries {
		later := make(chan unix.Errno)
		go func() { runtime.LockOSThread(); later <- t.make() }()
		fmt.Printf("%s: %s, %s\n", t.name, unix.ErrnoName(t.make()), unix.ErrnoName(<-later))
	}
}

// run runs tryAll in a process of its own and returns what it printed, by the name
// of the try. The process is under the filter if as is "confined".
func run(t *testing.T, as string) map[string]string {
	t.Helper()
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), role+"="+as)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	results := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
		results[name] = result
	}
	return results
}

// The filter makes calls that are not on the list look as if the kernel did not have
// them. It does not change the result of those on the list.
func TestCallsOffTheListDoNotExist(t *testing.T) {
	free, confined := run(t, "free"), run(t, "confined")
	for _, try := range offTheList {
		require.Equal(t, "ENOSYS, ENOSYS", confined[try.name], try.name)
		require.NotContains(t, free[try.name], "ENOSYS",
			"%s: the kernel does not have this call even without a filter", try.name)
	}
	for _, try := range onTheList {
		require.Equal(t, free[try.name], confined[try.name], try.name)
		require.NotContains(t, confined[try.name], "ENOSYS", try.name)
	}
}

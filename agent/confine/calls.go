package confine

import (
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
)

// plain are the calls that an agent may make with any arguments.
const plain = `
	Targets: pidfd_open pidfd_getfd process_vm_readv kcmp
	Sockets: bind listen setsockopt getsockopt getsockname getpeername shutdown accept4 recvmsg
	Capabilities: capget capset
	Files: read readv pread64 write writev close fcntl fstat newfstatat statx readlinkat getdents64
		lseek pipe2 faccessat faccessat2 uname
		unlinkat # removes the agent's socket when the agent ends
	Waiting: poll ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2
		timerfd_create timerfd_settime nanosleep clock_nanosleep clock_gettime gettimeofday time
	Memory: munmap madvise mremap brk mincore
	Threads: futex sched_yield sched_getaffinity set_robust_list rseq gettid getpid getppid
		exit exit_group sigaltstack rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait
		rt_sigpending restart_syscall timer_create timer_settime timer_delete getrandom
		membarrier getcpu
	Ids: getuid geteuid getgid getegid getrusage prlimit64 getrlimit sysinfo
`

// A rule allows a call if all of its conditions hold.
type rule struct {
	name string
	when []condition
}

// A condition on a call holds if the argument with this index, ANDed with mask, is
// equal to value.
type condition struct {
	argument    uint
	mask, value uint64
}

// is returns the condition that an argument has a value.
func is(argument uint, value uint64) condition { return condition{argument, ^uint64(0), value} }

// no returns the condition that an argument has none of the bits.
func no(argument uint, bits uint64) condition { return condition{argument, bits, 0} }

// cloneFlags is the argument of clone(2) that has the flags.
var cloneFlags = map[bool]uint{true: 1}[runtime.GOARCH == "s390x"]

// clone3 is refused by a filter of its own. The list allows it: of two filters that
// refuse a call the kernel obeys the newer one, which would log the call.
const clone3 = "clone3"

// list returns the rules for all calls that an agent may make.
func list(sendTo []int) []rule {
	all := append(checked(), rule{name: clone3})
	for _, fd := range sendTo {
		if fd >= 0 {
			all = append(all, rule{"sendmsg", []condition{is(0, uint64(fd))}})
		}
	}
	return append(all, rules(plain)...)
}

// rules returns the rules for calls with any arguments.
func rules(list string) (all []rule) {
	for line := range strings.Lines(list) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			if !strings.HasSuffix(word, ":") {
				all = append(all, rule{name: word})
			}
		}
	}
	return all
}

// checked returns the rules for calls whose arguments matter.
func checked() []rule {
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	self := uint64(os.Getpid())
	mmapConditions := []condition{no(2, unix.PROT_EXEC)}
	if runtime.GOARCH == "s390x" {
		mmapConditions = nil // its arguments are in memory
	}
	all := []rule{
		{"mmap", mmapConditions},
		{"mprotect", []condition{no(2, unix.PROT_EXEC)}},
		// For reading only. The agent writes only to fds that it does not open by
		// openat(2): stderr, sockets, pipes.
		{"openat", []condition{no(2, unix.O_ACCMODE|unix.O_CREAT|unix.O_TRUNC)}},
		{"clone", []condition{no(cloneFlags, namespaces)}},
		{"kill", []condition{is(0, self)}},
		{"tgkill", []condition{is(0, self)}},
		// A worker takes a uid that owns nothing.
		{"setresuid", []condition{is(1, target.NeutralUID)}},
		{"prctl", []condition{is(0, unix.PR_SET_DUMPABLE), is(1, 0)}},
		{"prctl", []condition{is(0, unix.PR_SET_VMA)}}, // Go names its memory
		{"prctl", []condition{is(0, unix.PR_GET_TIMERSLACK)}},
		{"prctl", []condition{is(0, unix.PR_SET_TIMERSLACK)}},                   // package sysmon
		{"sched_setscheduler", []condition{is(0, 0), is(1, unix.SCHED_NORMAL)}}, // the same
	}
	for _, request := range []uint64{
		unix.SECCOMP_IOCTL_NOTIF_RECV, unix.SECCOMP_IOCTL_NOTIF_SEND,
		unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		unix.NS_GET_PARENT, unix.NS_GET_OWNER_UID,
	} {
		all = append(all, rule{"ioctl", []condition{is(1, request)}})
	}
	return all
}

package confine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/port-restricter/port-restricter/agent/target"
)

// helperCalls are the calls that helpers, and the process that starts them, may make with any
// arguments (agent/target/helper.c and spawner.c).
const helperCalls = `
	Request: recvmsg read write close ppoll getpid getppid wait4
	Identity: capget capset setgroups setresgid setresuid getresuid setfsgid setfsuid fchdir chdir
		chroot umask
	Call: bind listen setsockopt
	Limits: setitimer rt_sigaction rt_sigprocmask restart_syscall exit_group
`

// helperList returns the rules for all calls that a helper may make.
func helperList() []rule {
	all := append(rules(helperCalls), []rule{
		{"fcntl", []condition{is(1, unix.F_SETFL)}},
		{"fcntl", []condition{is(1, unix.F_SETOWN)}},
		{"clone", []condition{is(cloneFlags, uint64(unix.SIGCHLD))}},
		{"setns", []condition{is(1, unix.CLONE_NEWUSER)}},
		{"prctl", []condition{is(0, unix.PR_SET_DUMPABLE), is(1, 0)}},
		{"prctl", []condition{is(0, unix.PR_SET_PDEATHSIG), is(1, uint64(unix.SIGKILL))}},
		{"prctl", []condition{is(0, unix.PR_SET_KEEPCAPS)}},
	}...)
	// Without a neutral uid a helper that is to have no privilege makes a user namespace.
	if !target.HasNeutralUID() {
		all = append(all, rule{"unshare", []condition{is(0, unix.CLONE_NEWUSER)}})
	}
	return all
}

// StartHelpers starts the process that makes calls in the place of targets, confined to what
// that takes. Then it drops the capabilities that only that process needs. It must be called
// after DropCapabilities and before agent.NewSupervisor. LoadFilter is to be told the fd that it
// returns.
func StartHelpers() (requests int, err error) {
	filter, err := helperFilter()
	if err != nil {
		return -1, fmt.Errorf("make the seccomp filter of helpers: %w", err)
	}
	requests, err = target.StartHelpers(filter, bits(forHelpers))
	if err != nil {
		return -1, err
	}
	// Without CAP_SYS_PTRACE a process can inspect only those that have no other capabilities
	// than itself.
	had := cap.GetProc()
	if inspects, err := had.GetFlag(cap.Permitted, cap.SYS_PTRACE); err != nil || !inspects {
		return requests, err
	}
	if _, err := keepPermitted(had, forAgent); err != nil {
		return -1, fmt.Errorf("drop the capabilities that only helpers need: %w", err)
	}
	return requests, nil
}

// helperFilter returns the program of a helper's filter.
func helperFilter() ([]unix.SockFilter, error) {
	filter, err := allowListed(helperList())
	if err != nil {
		return nil, err
	}
	defer filter.Release()
	file, written, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// It is far below the size of a pipe.
	err = filter.ExportBPF(written)
	written.Close()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	program := make([]unix.SockFilter, len(text)/int(unsafe.Sizeof(unix.SockFilter{})))
	return program, binary.Read(bytes.NewReader(text), binary.NativeEndian, program)
}

func bits(values []cap.Value) (set uint64) {
	for _, value := range values {
		set |= 1 << value
	}
	return set
}

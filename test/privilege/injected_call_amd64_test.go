package privilege

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestACallOffTheListFailsInTheAgent shows that the agent's own filter refuses calls that
// the agent does not need. An attacker who has taken over a thread of the agent could
// otherwise make them.
func TestACallOffTheListFailsInTheAgent(t *testing.T) {
	agent := runc.StartAgent(t)
	agent.Await(t, `"listening"`)
	require.EqualValues(t, agent.Pid(), callIn(t, agent.Pid(), unix.SYS_GETPID),
		"getpid is on the list")
	require.Equal(t, -int64(unix.ENOSYS), callIn(t, agent.Pid(), unix.SYS_GETPGRP),
		"getpgrp is not on the list; without a filter it never fails")
	require.Equal(t, -int64(unix.ENOSYS), callIn(t, agent.Pid(), unix.SYS_EXECVE))
	agent.Stop(t) // the agent is unharmed and ends as asked
}

// The same for helpers, who are not forked from a process under the agent's filter, and of which
// one that waits shows what all can do: a call in another place than that of their target.
func TestACallOffTheListFailsInAHelper(t *testing.T) {
	agent := runc.StartAgent(t)
	agent.Await(t, `"listening"`)
	for _, pid := range helpers(t, agent.Pid()) {
		require.EqualValues(t, pid, callIn(t, pid, unix.SYS_GETPID), "getpid is on the list")
		for _, call := range []uint64{
			unix.SYS_GETPGRP, unix.SYS_EXECVE, unix.SYS_OPEN, unix.SYS_OPENAT, unix.SYS_SOCKET,
			unix.SYS_CONNECT, unix.SYS_MMAP, unix.SYS_MPROTECT, unix.SYS_PTRACE, unix.SYS_KILL,
			unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PROCESS_VM_READV, unix.SYS_SENDMSG,
			unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_CLONE, unix.SYS_CLONE3, unix.SYS_IOCTL,
		} {
			require.Equal(t, -int64(unix.ENOSYS), callIn(t, pid, call), "call %d", call)
		}
	}
	agent.Stop(t)
}

// tracer is an environment variable that turns the test binary into a tracer. Its value
// is a thread id and the number of a system call.
const tracer = "PRIVILEGE_TEST_TRACES"

// TestMain turns the test binary into a tracer if asked to. The tracer must not be the
// agent's parent, which also waits for the agent and would take its stops.
func TestMain(m *testing.M) {
	var tid int
	var number uint64
	if _, err := fmt.Sscan(os.Getenv(tracer), &tid, &number); err != nil {
		os.Exit(m.Run())
	}
	result, err := inject(tid, number)
	if err != nil {
		panic(err)
	}
	fmt.Print(result)
}

// callIn makes a thread that waits in the kernel make another system call first, and
// returns the result of that call.
func callIn(t *testing.T, tid int, number uint64) (result int64) {
	t.Helper()
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", tracer, tid, number))
	got := runc.Finish(t, command)
	require.Zero(t, got.Code, got.Stderr)
	_, err := fmt.Sscan(got.Stdout, &result)
	require.NoError(t, err)
	return result
}

// inject traces a thread and makes it call the system call number with zeros as
// arguments. Then it restores the thread's registers.
func inject(tid int, number uint64) (result int64, err error) {
	runtime.LockOSThread() // a tracer is a thread
	var before, after unix.PtraceRegs
	step := func(next error) {
		if err == nil {
			err = next
		}
	}
	wait := func() error {
		var status unix.WaitStatus
		_, err := unix.Wait4(tid, &status, unix.WALL, nil)
		if err == nil && status.StopSignal() != unix.SIGTRAP {
			err = fmt.Errorf("stopped by %s", status.StopSignal())
		}
		return err
	}
	step(unix.PtraceSeize(tid))
	step(unix.PtraceInterrupt(tid))
	step(wait())
	step(unix.PtraceGetRegs(tid, &before))
	call := before
	call.Rip -= 2 // back to the syscall instruction in which the thread waits
	call.Rax, call.Orig_rax, call.Rdi, call.Rsi, call.Rdx = number, ^uint64(0), 0, 0, 0
	step(unix.PtraceSetRegs(tid, &call))
	step(unix.PtraceSingleStep(tid))
	step(wait())
	step(unix.PtraceGetRegs(tid, &after))
	step(unix.PtraceSetRegs(tid, &before))
	step(unix.PtraceDetach(tid))
	return int64(after.Rax), err
}

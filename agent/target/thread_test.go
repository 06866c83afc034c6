package target

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
	"github.com/port-restricter/port-restricter/test/oldkernel"
)

// An errno that concerns only this process, as when it runs out of fds, must not
// become the target's answer.
func TestAnErrnoOfTheAgentIsNotTheAnswer(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	known := new(Cache)
	self, err := known.Open(uint32(unix.Gettid()))
	require.NoError(t, err)
	unused := new(Cache)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}))

	_, noDuplicate := self.Socket(int(os.Stderr.Fd()))
	_, noPidfd := unused.Open(uint32(unix.Gettid()))
	_, noThread := unused.Open(1 << 30)
	noMemory := (&Thread{tid: 1 << 30}).Read(1, make([]byte, 16))
	for message, err := range map[string]error{
		"too many open files":               noDuplicate,
		"open a pidfd":                      noPidfd,
		"open a pidfd of thread 1073741824": noThread,
		"no such process":                   noMemory,
	} {
		require.ErrorContains(t, err, message)
		_, answered := err.(unix.Errno)
		require.False(t, answered, "%v", err)
	}

	_, err = self.Socket(1 << 20)
	require.Equal(t, unix.EBADF, err)
	require.Equal(t, unix.EFAULT, self.Read(1, make([]byte, 16)))
}

// Before Linux 6.9 pidfds refer to processes only, and before 5.12 many kernels have no
// kcmp(2). There the first thread of a process is still served, and the reason for which
// another one is refused is the right one.
func TestAKernelWithoutKcmpServesFirstThreads(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	runtime.LockOSThread()
	other := make(chan int)
	tid := os.Getpid()
	for tid == os.Getpid() { // the first thread may run the other goroutine
		go func() {
			runtime.LockOSThread()
			other <- unix.Gettid()
			select {}
		}()
		tid = <-other
	}
	require.NoError(t, oldkernel.Hide(unix.SYS_PIDFD_OPEN, pidfdThread, unix.EINVAL))
	_, err := new(Cache).Open(uint32(tid))
	require.NoError(t, err)
	require.NoError(t, oldkernel.Hide(unix.SYS_KCMP, oldkernel.Always, unix.ENOSYS))
	first, err := new(Cache).Open(uint32(os.Getpid()))
	require.NoError(t, err)
	require.False(t, first.exact)
	_, err = first.Socket(int(os.Stderr.Fd()))
	require.NoError(t, err)
	_, err = new(Cache).Open(uint32(tid))
	require.ErrorContains(t, err, "the kernel has no kcmp(2)")
}

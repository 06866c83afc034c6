package target

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
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

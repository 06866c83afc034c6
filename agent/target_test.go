package agent

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A target must not be told what only we ran out of.
func TestOurOwnErrnosAreNoAnswer(t *testing.T) {
	if !inAnotherProcess(t, 0) {
		return
	}
	known := new(threads)
	self, err := known.open(uint32(unix.Gettid()))
	require.NoError(t, err)
	unused := new(threads)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}))

	_, noDuplicate := self.socket(int(os.Stderr.Fd()))
	_, noPidfd := unused.open(uint32(unix.Gettid()))
	_, noThread := unused.open(1 << 30)
	noMemory := (&thread{tid: 1 << 30}).read(1, make([]byte, 16))
	for message, err := range map[string]error{
		"too many open files": noDuplicate, "open a pidfd": noPidfd, "open a pidfd of thread 1073741824": noThread, "no such process": noMemory,
	} {
		require.ErrorContains(t, err, message)
		_, answered := kernelsAnswer(err)
		require.False(t, answered, "%v", err)
	}

	_, err = self.socket(1 << 20)
	require.Equal(t, unix.EBADF, err)
	require.Equal(t, unix.EFAULT, self.read(1, make([]byte, 16)))
}

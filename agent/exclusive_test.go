package agent

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// threadsOf takes a number of links for a number of threads.
func TestThreadsOfAProcessAreFoundHoweverMany(t *testing.T) {
	alone := exec.Command("sleep", "1000")
	require.NoError(t, alone.Start())
	t.Cleanup(func() { _ = alone.Process.Kill(); _ = alone.Wait() })
	for _, process := range []int{alone.Process.Pid, os.Getpid()} {
		threads, err := threadsOf(process)
		require.NoError(t, err)
		require.Contains(t, threads, process)
		require.Equal(t, process == alone.Process.Pid, len(threads) == 1, "%v", threads)
	}
	_, err := threadsOf(-1)
	require.ErrorIs(t, err, os.ErrNotExist)
}

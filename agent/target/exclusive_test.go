package target

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What was proved of a thread holds until the kernel creates a task.
func TestAProofHoldsUntilATaskIsCreated(t *testing.T) {
	alone := exec.Command("sleep", "1000")
	require.NoError(t, alone.Start())
	t.Cleanup(func() { _ = alone.Process.Kill(); _ = alone.Wait() })
	var cache Cache
	defer cache.Forget()
	open := func(pid int) *Thread {
		thread, err := cache.Open(uint32(pid))
		require.NoError(t, err)
		return thread
	}
	require.Eventually(t, func() bool { return open(alone.Process.Pid).OwnsFileTable(0) },
		time.Minute, time.Millisecond)
	proved := open(alone.Process.Pid).alone
	require.Positive(t, proved)

	shares := open(os.Getpid())
	shares.alone = proved
	require.NoError(t, exec.Command("true").Run())
	require.False(t, shares.OwnsFileTable(0), "a proof from before a task was created")
	require.Zero(t, shares.alone)
}

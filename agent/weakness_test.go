package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
	"github.com/port-restricter/port-restricter/test/oldkernel"
)

// The child's filter makes the kernel one of before 6.9, then one without kcmp as well.
func TestAWeakKernelIsSaidAtTheStart(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	require.Empty(t, Weakness())
	require.NoError(t, oldkernel.Hide(unix.SYS_PIDFD_OPEN, unix.O_EXCL, unix.EINVAL))
	require.Contains(t, Weakness(), "threads with a file table of their own")
	require.NoError(t, oldkernel.Hide(unix.SYS_KCMP, oldkernel.Always, unix.ENOSYS))
	require.Contains(t, Weakness(), "only the first thread")
}

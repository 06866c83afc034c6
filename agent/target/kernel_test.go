package target

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAKernelIsKnownByItsRelease(t *testing.T) {
	for _, release := range []string{"6.15.0", "6.15-rc1", "6.18.44-amd64", "7.0", "10.0"} {
		require.True(t, isAtLeast(release, 6, 15), release)
	}
	for _, release := range []string{"", "6.1.0-34-amd64", "6.14.9", "5.15.0", "2.6.66", "linux"} {
		require.False(t, isAtLeast(release, 6, 15), release)
	}
}

// Whatever is not certainly Linux 5.11 or newer proves nothing.
func TestAKernelWhoseFailedExecSharesAgainProvesNothing(t *testing.T) {
	for _, release := range []string{"5.11.0", "5.11-rc1", "5.15.0-91-generic", "6.1.0", "10.0"} {
		require.True(t, is511(unix.EBADF, release), release)
		for _, errno := range []unix.Errno{0, unix.ENOSYS, unix.EPERM, unix.EINVAL, unix.EFAULT} {
			require.False(t, is511(errno, release), "%s, %d", release, errno)
		}
	}
	for _, release := range []string{"", "5.10.0-34-amd64", "5.6.0", "4.19.0", "2.6.66", "linux"} {
		require.False(t, is511(unix.EBADF, release), release)
	}
}

package target

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
)

// The numbers in the /proc of another pid namespace would name other processes than
// the targets.
func TestAProcOfAnotherPIDNamespaceIsRefused(t *testing.T) {
	if rerun.InProcess(t, unix.CLONE_NEWPID) {
		require.ErrorContains(t, CheckProc(), "another pid namespace")
		return
	}
	require.NoError(t, CheckProc())
}

// A process that /proc hides could share the target's file table. With
// CAP_SYS_PTRACE a thread sees all processes even in a /proc mounted with hidepid=.
func TestAProcThatHidesProcessesProvesNothing(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	runtime.LockOSThread() // the uid of this thread is changed below
	// requireError requires that newSharers fails with text, or succeeds if text is "".
	requireError := func(text string) {
		s, err := newSharers()
		if text == "" {
			require.NoError(t, err)
			s.close()
		} else {
			require.ErrorContains(t, err, text)
		}
	}
	require.NoError(t, unix.Mount("proc", "/proc", "proc", 0, "hidepid=invisible"))
	requireError("")
	_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 1000, 1000, 1000)
	require.Zero(t, errno)
	requireError("does not show every process")
}

func TestMountOptionsAreThoseOfTheDevice(t *testing.T) {
	const mounts = "24 30 0:22 / /proc rw,nosuid shared:13 - proc proc rw\n" +
		"90 24 0:55 / /mnt/with\\040space rw,relatime - proc none rw,gid=5,hidepid=ptraceable\n"
	options, known := superOptions(mounts, unix.Mkdev(0, 55))
	require.True(t, known)
	require.Equal(t, "rw,gid=5,hidepid=ptraceable", options)
	options, known = superOptions(mounts, unix.Mkdev(0, 22))
	require.True(t, known)
	require.Equal(t, "rw", options)
	_, known = superOptions(mounts, unix.Mkdev(0, 5))
	require.False(t, known)
}

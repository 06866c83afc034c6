package target

import (
	"os/exec"
	"runtime"
	"syscall"
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

// /proc can be mounted again with hidepid= while a scanner has it open. From then on the
// scanner of an ordinary user proves nothing.
func TestAProcThatBeginsToHideProcessesProvesNothing(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWNS|unix.CLONE_NEWPID) {
		return
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	require.NoError(t, unix.Mount("proc", "/proc", "proc", 0, ""))
	target := exec.Command("sleep", "infinity")
	target.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: unix.SIGKILL, Credential: &syscall.Credential{Uid: 1000, Gid: 1000},
	}
	require.NoError(t, target.Start())
	defer func() { _ = target.Process.Kill(); _ = target.Wait() }()

	scanner := func(uid uintptr, again, proved chan bool) {
		runtime.LockOSThread() // the thread ends with the goroutine
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid)
		all, err := newSharers()
		proved <- errno == 0 && err == nil
		for range again {
			// A scan counts only if no task was created meanwhile, so it is repeated.
			one := false
			for range 100 {
				one = one || all.none(&scan{tid: target.Process.Pid}) != 0
			}
			proved <- one
		}
		all.close()
		proved <- true
	}
	for uid, seesAll := range map[uintptr]bool{0: true, 1000: false} {
		require.NoError(t, unix.Mount("proc", "/proc", "proc", unix.MS_REMOUNT, "hidepid=off"))
		scan, proved := make(chan bool), make(chan bool)
		go scanner(uid, scan, proved)
		require.True(t, <-proved)
		scan <- true
		require.True(t, <-proved, "uid %d, before", uid)
		require.NoError(t,
			unix.Mount("proc", "/proc", "proc", unix.MS_REMOUNT, "hidepid=invisible"))
		scan <- true
		require.Equal(t, seesAll, <-proved, "uid %d, with hidepid=", uid)
		close(scan)
		<-proved
	}
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

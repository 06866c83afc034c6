package target

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
)

// A command of an ordinary user has the user of its supervisor's spawner and helpers, and can take
// nothing from them: not from those that wait, and not from one that makes its call.
func TestNobodyOfItsUserTracesAHelper(t *testing.T) {
	if path := os.Getenv("HANG_AT"); path != "" {
		target, err := open(uint32(startSleep(t)))
		require.NoError(t, err)
		t.Log(bindAt(t, &target, path))
		return
	}
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	supervisor := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	supervisor.Env = append(os.Environ(), "HANG_AT="+hangingDirectory(t)+"/socket")
	supervisor.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: somebody, Gid: somebody}, Pdeathsig: unix.SIGKILL,
	}
	require.NoError(t, supervisor.Start())
	defer func() {
		_ = supervisor.Process.Kill()
		_ = supervisor.Wait()
	}()
	hangingHelper(t, supervisor.Process.Pid)
	var sleeps, protected []int
	for _, child := range childrenOf(t, supervisor.Process.Pid) {
		if helpers := childrenOf(t, child); len(helpers) > 0 {
			protected = append(append(protected, child), helpers...)
		} else {
			sleeps = append(sleeps, child)
		}
	}
	require.Greater(t, len(protected), 2)
	for _, taken := range takenBy(somebody, protected) {
		require.Empty(t, taken)
	}
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if yama := strings.TrimSpace(string(scope)); yama == "" || yama == "0" {
		require.Equal(t, []string{"memory fds trace "}, takenBy(somebody, sleeps), "of any process")
	}
}

func startSleep(t *testing.T) (pid int) {
	t.Helper()
	process := exec.Command("sleep", "infinity")
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	require.NoError(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	return process.Process.Pid
}

// takenBy returns what a user can take of each process.
func takenBy(user uintptr, pids []int) (all []string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread has another user
		for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			if _, _, errno := unix.RawSyscall(call, user, user, user); errno != 0 {
				panic(errno)
			}
		}
		for _, pid := range pids {
			taken := ""
			if fd, err := unix.Open(fmt.Sprintf("/proc/%d/mem", pid), unix.O_RDWR, 0); err == nil {
				taken += "memory "
				unix.Close(fd)
			}
			if pidfd, err := unix.PidfdOpen(pid, 0); err == nil {
				if fd, err := unix.PidfdGetfd(pidfd, 0, 0); err == nil {
					taken += "fds "
					unix.Close(fd)
				}
				unix.Close(pidfd)
			}
			if unix.PtraceSeize(pid) == nil {
				taken += "trace "
			}
			all = append(all, taken)
		}
	}()
	<-done
	return all
}

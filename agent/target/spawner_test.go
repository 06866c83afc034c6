package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
)

const somebody = 54321

// startProcess starts a process of somebody, with these groups.
func startProcess(t *testing.T, groups ...uint32) *Thread {
	t.Helper()
	return startProcessAs(t, &syscall.Credential{Uid: somebody, Gid: somebody, Groups: groups})
}

func startProcessAs(t *testing.T, credential *syscall.Credential) *Thread {
	t.Helper()
	process := exec.Command("sleep", "infinity")
	process.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Pdeathsig: unix.SIGKILL}
	require.NoError(t, process.Start())
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	target, err := open(uint32(process.Process.Pid))
	require.NoError(t, err)
	t.Cleanup(target.Close)
	return &target
}

// bindAt makes a helper bind a socket to a path, or to an abstract name that begins with NUL.
func bindAt(t *testing.T, target *Thread, path string) error {
	t.Helper()
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(socket)
	name := append([]byte{unix.AF_UNIX, 0}, path...)
	return target.MakeCall(Call{
		Kind: Bind, Socket: socket, Argument: name, Abandoned: abandoned.Load,
	}, func() bool { return true })
}

// abandoned makes bindAt give up once it is out of patience.
var abandoned atomic.Bool

func abstract(t *testing.T) string { return fmt.Sprintf("\x00%s of %d", t.Name(), os.Getpid()) }

// childrenOf returns the processes that a process has started.
func childrenOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, directory := range all {
		child, err := strconv.Atoi(filepath.Base(directory))
		require.NoError(t, err)
		if status, err := readStatus(child, nil); err == nil {
			if parent, err := status.parent(); err == nil && parent == pid {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// helpersOf returns the ids of the spawner of this process, and of its helpers.
func helpersOf(t *testing.T, s *spawner) (spawner int, helpers []int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", s.pidfd))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "\nPid:\t")
	spawner, err = strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]))
	require.NoError(t, err)
	return spawner, childrenOf(t, spawner)
}

// requireEnd waits until processes have ended.
func requireEnd(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		require.Eventually(t, func() bool {
			status, err := readStatus(pid, nil)
			return err != nil || strings.Contains(string(status), "Z (zombie)")
		}, time.Minute, time.Millisecond)
	}
}

// Whoever kills the spawner, for example because memory is short, takes away no calls: another
// one is started.
func TestAnotherSpawnerIsStarted(t *testing.T) {
	target := startProcess(t)
	require.NoError(t, bindAt(t, target, abstract(t)))
	s, err := theSpawner()
	require.NoError(t, err)
	pid, helpers := helpersOf(t, s)
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	require.NoError(t, bindAt(t, target, abstract(t)))
	requireEnd(t, append(helpers, pid))
	require.NoError(t, bindAt(t, target, abstract(t)))
	after, err := theSpawner()
	require.NoError(t, err)
	require.NotSame(t, s, after)
}

// A spawner replaces the helpers that are killed while they wait.
func TestKilledHelpersAreReplaced(t *testing.T) {
	target := startProcess(t)
	for range 3 {
		s, err := theSpawner() // another one, if one was killed as it took a request
		require.NoError(t, err)
		_, helpers := helpersOf(t, s)
		for _, pid := range helpers {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		require.NoError(t, bindAt(t, target, abstract(t)))
	}
}

// A process that has confined itself can't start another spawner. Then calls are refused.
func TestWithoutASpawnerCallsAreRefused(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	_, err := StartHelpers(nil, ^uint64(0))
	require.NoError(t, err)
	target := startProcess(t)
	require.NoError(t, bindAt(t, target, abstract(t)))
	s, err := theSpawner()
	require.NoError(t, err)
	pid, _ := helpersOf(t, s)
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	for err == nil {
		err = bindAt(t, target, abstract(t)) // by a helper that is not killed yet
	}
	for range 3 {
		require.ErrorIs(t, err, ErrNotMade)
		require.ErrorIs(t, err, ErrNoHelpers)
		require.ErrorContains(t, err, "restart the agent")
		err = bindAt(t, target, abstract(t))
	}
}

// A helper with the spawner's user is killed with it. Its call was refused by nobody: the agent's
// successor, which has helpers, answers it.
func TestACallThatEndsWithTheSpawnerIsLeft(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	_, err := StartHelpers(nil, ^uint64(0))
	require.NoError(t, err)
	target, path := startProcessAs(t, nil), hangingDirectory(t)+"/socket"
	done := make(chan error)
	go func() { done <- bindAt(t, target, path) }()
	hangingHelper(t, os.Getpid())
	s, err := theSpawner()
	require.NoError(t, err)
	pid, _ := helpersOf(t, s)
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	require.ErrorIs(t, <-done, ErrNoHelpers)
}

// The helpers of an agent give way to the agent, and those of a command are as its supervisor.
func TestHelpersOfAnAgentAreNicer(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	require.NoError(t, err)
	require.Greater(t, own, 1) // 20 less the niceness: a helper can be nicer
	priorities := func(s *spawner) (all []int) {
		pid, helpers := helpersOf(t, s)
		for _, process := range append(helpers, pid) {
			priority, err := unix.Getpriority(unix.PRIO_PROCESS, process)
			require.NoError(t, err)
			all = append(all, priority)
		}
		return slices.Compact(all)
	}
	s, err := theSpawner()
	require.NoError(t, err)
	require.Equal(t, []int{own}, priorities(s))
	_, err = StartHelpers(nil, ^uint64(0))
	require.NoError(t, err)
	s, err = theSpawner()
	require.NoError(t, err)
	require.Equal(t, []int{max(own-nice, 1)}, priorities(s))
}

// A request that no helper takes, since none can be started, is refused after a while, and is
// done by nobody later.
func TestARequestThatWaitsInVainIsWithdrawn(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	target := startProcess(t)
	s, err := theSpawner()
	require.NoError(t, err)
	pid, _ := helpersOf(t, s)
	require.NoError(t, unix.Kill(pid, unix.SIGSTOP)) // as if it could not fork
	_, helpers := helpersOf(t, s)
	for _, helper := range helpers {
		require.NoError(t, unix.Kill(helper, unix.SIGKILL))
	}
	requireEnd(t, helpers)
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(socket)
	name := append([]byte{unix.AF_UNIX, 0}, abstract(t)...)
	err = target.MakeCall(Call{Kind: Bind, Socket: socket, Argument: name},
		func() bool { return true })
	require.ErrorIs(t, err, ErrNotMade)
	require.ErrorContains(t, err, "no helper took it")
	require.NoError(t, unix.Kill(pid, unix.SIGCONT))
	require.NoError(t, bindAt(t, target, abstract(t)), "by a helper that comes after that request")
	address, err := unix.Getsockname(socket)
	require.NoError(t, err)
	require.Equal(t, "@", address.(*unix.SockaddrUnix).Name, "it has been bound")
}

// The kernel allows 65,536 groups, more than there is room for in a message. The last one counts.
func TestAHelperHasAllGroups(t *testing.T) {
	for _, n := range []uint32{0, 1, 32, 33, 65536} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			const first = 100000
			groups := make([]uint32, n)
			for i := range groups {
				groups[i] = first + uint32(i)
			}
			directory, err := os.MkdirTemp("", "groups-")
			require.NoError(t, err)
			defer os.RemoveAll(directory)
			require.NoError(t, os.Chown(directory, 0, first+int(n)-1))
			require.NoError(t, os.Chmod(directory, 0o770))
			err = bindAt(t, startProcess(t, groups...), directory+"/socket")
			if n == 0 {
				require.Equal(t, unix.EACCES, err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// The successor of a supervisor makes the calls again that it finds unanswered. So no helper
// goes on with a call when its supervisor has been killed, though it has another user by then.
func TestAHelperEndsWithItsSupervisor(t *testing.T) {
	if path := os.Getenv("HANG_AT"); path != "" {
		t.Log(bindAt(t, startProcess(t), path))
		return
	}
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	supervisor := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	supervisor.Env = append(os.Environ(), "HANG_AT="+hangingDirectory(t)+"/socket")
	require.NoError(t, supervisor.Start())
	helper := hangingHelper(t, supervisor.Process.Pid)
	require.NoError(t, supervisor.Process.Kill())
	_ = supervisor.Wait()
	require.Eventually(t, func() bool {
		_, err := credentialsOf(helper)
		return err != nil
	}, CallLimit/2, 10*time.Millisecond, "the helper goes on")
}

// A helper that is killed in its call has no result.
func TestAHelperThatIsKilledMakesNoCall(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	target, path := startProcess(t), hangingDirectory(t)+"/socket"
	done := make(chan error)
	go func() { done <- bindAt(t, target, path) }()
	require.NoError(t, unix.Kill(hangingHelper(t, os.Getpid()), unix.SIGKILL))
	err := <-done
	require.ErrorIs(t, err, ErrNotMade)
	require.ErrorContains(t, err, "the helper process was killed")
	require.NoError(t, bindAt(t, target, abstract(t)))
}

// A stopped helper does not end, but holds nobody up once nobody waits for its call.
func TestAStoppedHelperHoldsNoWorker(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	patience = 10 * time.Millisecond
	target, directory := startProcess(t), hangingDirectory(t)
	done := make(chan error, 1)
	go func() { done <- bindAt(t, target, directory+"/socket") }()
	helper := hangingHelper(t, os.Getpid())
	require.NoError(t, unix.Kill(helper, unix.SIGSTOP))
	_ = unix.Unmount(directory, unix.MNT_FORCE) // the call fails, and the helper stops
	require.Eventually(t, func() bool {
		status, err := readStatus(helper, nil)
		return err == nil && strings.Contains(string(status), "T (stopped)")
	}, 20*time.Second, time.Millisecond)
	select {
	case err := <-done:
		t.Fatal("the worker did not wait: ", err)
	case <-time.After(10 * patience):
	}
	abandoned.Store(true)
	select {
	case err := <-done:
		require.ErrorIs(t, err, ErrWithdrawn)
	case <-time.After(20 * time.Second):
		t.Fatal("the worker waits for the stopped helper")
	}
	require.NoError(t, unix.Kill(helper, unix.SIGCONT))
	requireEnd(t, []int{helper})
}

// hangingDirectory returns a directory on a file system that does not answer. A signal ends a
// call that waits for it.
func hangingDirectory(t *testing.T) string {
	t.Helper()
	require.NoError(t, unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(device) })
	directory, err := os.MkdirTemp("", "hangs-")
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = unix.Unmount(directory, unix.MNT_DETACH)
		_ = os.Remove(directory)
	})
	require.NoError(t, os.Chmod(directory, 0o755))
	options := fmt.Sprintf("fd=%d,rootmode=40777,user_id=0,group_id=0,allow_other", device)
	require.NoError(t, unix.Mount("test", directory, "fuse", unix.MS_NOSUID, options))
	return directory // not even the first request of the kernel is answered
}

// hangingHelper returns the id of a helper that is in the call, with its target's identity.
func hangingHelper(t *testing.T, supervisor int) (helper int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, child := range childrenOf(t, supervisor) {
			for _, pid := range childrenOf(t, child) {
				wait, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
				if strings.Contains(string(wait), "fuse") {
					helper = pid
					return true
				}
			}
		}
		return false
	}, 20*time.Second, 10*time.Millisecond, "no helper hangs")
	return helper
}

// A spawner that can't find the memory of its supervisor, to give it back, starts no helpers.
func TestASpawnerThatKeepsItsSupervisorsMemoryIsNone(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	runtime.LockOSThread()
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	status := fmt.Sprintf("/proc/%d/status", unix.Gettid()) // which is read first
	text, err := os.ReadFile(status)
	require.NoError(t, err)
	require.NoError(t, unix.Mount("tmpfs", "/proc", "tmpfs", 0, ""))
	require.NoError(t, os.Mkdir(filepath.Dir(status), 0o755))
	require.NoError(t, os.WriteFile(status, text, 0o644))
	_, err = startSpawner(nil, ^uint64(0), 0)
	require.ErrorIs(t, err, unix.ENOENT)
	require.ErrorContains(t, err, "read /proc/self/maps")
}

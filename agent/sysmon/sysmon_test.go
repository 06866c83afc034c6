package sysmon

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	seccomp "github.com/seccomp/libseccomp-golang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/confine"
)

// startedWith is the timer slack, in nanoseconds, with which the tests start
// themselves again.
const startedWith = 77777

// Exactly one thread, Go's monitor, has the large timer slack and gives way to all others. Another
// thread that did would delay binds.
func TestTheMonitorAloneSleepsLate(t *testing.T) {
	if again(t, nil) {
		requireOneLate(t)
	}
}

// RestrictRealtime= of systemd refuses policies that it does not know, SCHED_RESET_ON_FORK among
// them, and a process that begins under a filter gives way only when it says so.
func TestTheMonitorAloneSleepsLateInASandbox(t *testing.T) {
	if again(t, restrictRealtime) {
		GiveWay()
		requireOneLate(t)
	}
}

// The agent creates threads after it has loaded its own seccomp filter, which must
// not refuse to change the slack and the policy.
func TestTheMonitorAloneSleepsLateBehindTheAgentsFilter(t *testing.T) {
	if again(t, nil) {
		require.NoError(t, confine.LoadFilter(-1))
		requireOneLate(t)
	}
}

// restrictRealtime does to the calling thread what RestrictRealtime= does to a unit.
func restrictRealtime(t *testing.T) {
	filter, err := seccomp.NewFilter(seccomp.ActAllow)
	require.NoError(t, err)
	defer filter.Release()
	call, err := seccomp.GetSyscallFromName("sched_setscheduler")
	require.NoError(t, err)
	unknown, err := seccomp.MakeCondition(1, seccomp.CompareGreater, unix.SCHED_IDLE)
	require.NoError(t, err)
	refuse := seccomp.ActErrno.SetReturnCode(int16(unix.EPERM))
	require.NoError(t, filter.AddRuleConditional(call, refuse,
		[]seccomp.ScmpCondition{unknown}))
	require.NoError(t, filter.Load())
}

// again runs the calling test again in a process of its own, with the slack
// startedWith, and in the sandbox if it is not nil. It reports whether this process is that one.
func again(t *testing.T, sandbox func(*testing.T)) bool {
	t.Helper()
	const name = "PORT_RESTRICTER_TEST_AGAIN"
	switch step := os.Getenv(name); {
	case step == "sandboxed", step != "" && sandbox == nil:
		return true
	case step != "":
		runtime.LockOSThread() // the filter is this thread's
		sandbox(t)
		t.Setenv(name, "sandboxed")
		require.NoError(t, syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	runtime.LockOSThread() // the child inherits the slack of this thread
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.Prctl(unix.PR_SET_TIMERSLACK, startedWith, 0, 0, 0))
	command := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$")
	command.Env = append(os.Environ(), name+"=1")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return false
}

// requireOneLate requires that one thread has the slack Slack and the policy SCHED_BATCH, and that
// all others have startedWith and SCHED_NORMAL.
func requireOneLate(t *testing.T) {
	t.Helper()
	// Threads that block in system calls make the monitor create others.
	many := 4 * runtime.GOMAXPROCS(0)
	var started, ended sync.WaitGroup
	var pipe [2]int
	require.NoError(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	for range many {
		started.Add(1)
		ended.Add(1)
		go func() {
			defer ended.Done()
			started.Done()
			_, _ = unix.Read(pipe[0], make([]byte, 1))
		}()
	}
	started.Wait()
	type kind struct{ slack, policy string }
	// Several tries: while the monitor creates a thread, it is like the others.
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		kinds := map[kind]int{}
		threads, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		require.Greater(t, len(threads), many)
		for _, thread := range threads {
			slack, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
			require.NoError(t, err)
			stat, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/stat")
			require.NoError(t, err)
			_, fields, _ := strings.Cut(string(stat), ") ")
			policy := strings.Fields(fields)[41-3] // proc_pid_stat(5), from the state on
			kinds[kind{strings.TrimSpace(string(slack)), policy}]++
		}
		require.Equal(t, map[kind]int{
			{strconv.Itoa(startedWith), strconv.Itoa(unix.SCHED_NORMAL)}: len(threads) - 1,
			{strconv.Itoa(int(Slack)), strconv.Itoa(unix.SCHED_BATCH)}:   1,
		}, kinds)
	}, time.Minute, time.Millisecond)
	require.NoError(t, unix.Close(pipe[1]))
	ended.Wait()
}

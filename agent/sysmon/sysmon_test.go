package sysmon

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/confine"
)

const startedWith = 77777 // ns; the tests start themselves again with it

func TestTheMonitorAloneSleepsLate(t *testing.T) {
	if again(t) {
		requireOneLate(t)
	}
}

func TestTheMonitorAloneSleepsLateBehindTheAgentsFilter(t *testing.T) {
	if again(t) {
		require.NoError(t, confine.LoadFilter())
		requireOneLate(t)
	}
}

// again says whether the test is in the process that it started for itself.
func again(t *testing.T) bool {
	t.Helper()
	const name = "PORT_RESTRICTER_TEST_AGAIN"
	if os.Getenv(name) != "" {
		return true
	}
	runtime.LockOSThread() // whose slack the child takes along
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.Prctl(unix.PR_SET_TIMERSLACK, startedWith, 0, 0, 0))
	command := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$")
	command.Env = append(os.Environ(), name+"=1")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return false
}

func requireOneLate(t *testing.T) {
	t.Helper()
	// Threads in system calls, for which the monitor makes others.
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
	// While it makes a thread the monitor wears the slack of the others.
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		slacks := map[string]int{}
		threads, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		require.Greater(t, len(threads), many)
		for _, thread := range threads {
			slack, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
			require.NoError(t, err)
			slacks[strings.TrimSpace(string(slack))]++
		}
		require.Equal(t, map[string]int{strconv.Itoa(startedWith): len(threads) - 1, strconv.Itoa(int(Slack)): 1}, slacks)
	}, time.Minute, time.Millisecond)
	require.NoError(t, unix.Close(pipe[1]))
	ended.Wait()
}

package sysmon

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTheMonitorAloneSleepsLate(t *testing.T) {
	const startedWith = 77777 // ns; under go test we start ourselves again with it
	const again = "PORT_RESTRICTER_TEST_AGAIN"
	if os.Getenv(again) == "" {
		runtime.LockOSThread() // whose slack the child takes along
		defer runtime.UnlockOSThread()
		require.NoError(t, unix.Prctl(unix.PR_SET_TIMERSLACK, startedWith, 0, 0, 0))
		command := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$")
		command.Env = append(os.Environ(), again+"=1")
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	// Threads in system calls, for which the monitor makes others.
	var started, ended sync.WaitGroup
	var pipe [2]int
	require.NoError(t, unix.Pipe(pipe[:]))
	for range 4 * runtime.GOMAXPROCS(0) {
		started.Add(1)
		ended.Add(1)
		go func() {
			defer ended.Done()
			started.Done()
			_, _ = unix.Read(pipe[0], make([]byte, 1))
		}()
	}
	started.Wait()
	slacks := map[string]int{}
	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	require.Greater(t, len(threads), 4*runtime.GOMAXPROCS(0))
	for _, thread := range threads {
		slack, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
		require.NoError(t, err)
		slacks[strings.TrimSpace(string(slack))]++
	}
	require.Equal(t, map[string]int{fmt.Sprint(startedWith): len(threads) - 1, strconv.Itoa(int(Slack)): 1}, slacks)
	require.NoError(t, unix.Close(pipe[1]))
	ended.Wait()
}

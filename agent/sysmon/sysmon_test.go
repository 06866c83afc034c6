package sysmon

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const startedWith = 77777 // ns

func slackOf(t *testing.T, tid string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + tid + "/timerslack_ns")
	require.NoError(t, err)
	slack, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return slack
}

// Under go test we are a child of a process that knows nothing of us; under
// that, of ourselves with a slack of our own.
func TestTheMonitorSleepsLateAndWhatWeExecuteDoesNot(t *testing.T) {
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
	require.Equal(t, startedWith, slackOf(t, fmt.Sprint(os.Getpid())), "the first thread")
	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	var late int
	for _, thread := range threads {
		if slackOf(t, thread.Name()) == int(Slack) {
			late++
		}
	}
	require.Positive(t, late)
	done := make(chan struct{})
	go func() { // on whatever thread
		defer close(done)
		BeforeExec()
		out, err := exec.Command("cat", "/proc/self/timerslack_ns").Output()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintln(startedWith), string(out))
	}()
	<-done
}

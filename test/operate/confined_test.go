package operate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// To be asked, the agent makes no system call that its own seccomp filter refuses.
func TestTheConfinedAgentCanAnswer(t *testing.T) {
	server, address := agentWithMetrics(t)
	c := idle(t, server, "5000")
	trace := filepath.Join(t.TempDir(), "trace")
	strace := exec.Command("strace", "-f", "-o", trace, "-e", "trace=all",
		"-p", strconv.Itoa(server.Pid()))
	require.NoError(t, strace.Start())
	t.Cleanup(func() { _ = strace.Process.Kill(); _ = strace.Wait() })
	require.Eventually(t, func() bool {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(server.Pid()) + "/status")
		return err == nil && strings.Contains(string(status),
			"TracerPid:\t"+strconv.Itoa(strace.Process.Pid)+"\n")
	}, time.Minute, 10*time.Millisecond)

	next := events(t, server)
	requireRefused(t, c, 5001)
	require.EqualValues(t, 5001, next().Port)
	for _, arguments := range [][]string{{}, {c.State(t).ID}} {
		require.Zero(t, runc.Finish(t, server.Ask(t, "status", arguments...)).Code)
	}
	get(t, "unix", server.ControlSocket(), "/metrics")
	get(t, "tcp", address, "/metrics")
	require.NoError(t, strace.Process.Signal(syscall.SIGINT))
	_ = strace.Wait()
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	require.Contains(t, string(text), "accept4(")
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "ENOSYS") {
			require.Contains(t, line, "clone3", "the filter refuses it")
		}
	}
}

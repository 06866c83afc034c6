package privilege

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/port-restricter/port-restricter/test/runc"
)

// forEachStart runs a test with an agent of each way to start one.
func forEachStart(t *testing.T, test func(*testing.T, *runc.Agent)) {
	for name, start := range map[string]func(testing.TB) *runc.Agent{
		"started by the unit": runc.StartAgent,
		"started by root":     runc.StartAgentAsRoot,
	} {
		t.Run(name, func(t *testing.T) {
			agent := start(t)
			agent.Await(t, `"listening"`)
			test(t, agent)
		})
	}
}

// TestEveryThreadOfTheAgentIsConfined shows that every thread of the agent has the same
// restricted privileges, whether the unit or root started the agent. One thread with more
// would be enough for an attacker.
func TestEveryThreadOfTheAgentIsConfined(t *testing.T) {
	kept := hex(t, runc.Capabilities(t)...)
	own := hex(t, "sys_ptrace", "setuid", "dac_override")
	worker := fmt.Sprintf("%016x", 1<<cap.SYS_PTRACE)
	forEachStart(t, func(t *testing.T, agent *runc.Agent) {
		workers := 0
		for _, thread := range threads(t, agent.Pid()) {
			s := status(t, thread)
			require.Equal(t, own, s["CapPrm"])
			require.Equal(t, kept, s["CapBnd"])
			require.Equal(t, "0000000000000000", s["CapInh"])
			require.Equal(t, "0000000000000000", s["CapAmb"])
			require.Equal(t, "1", s["NoNewPrivs"])
			require.Equal(t, "2", s["Seccomp"])
			if s["CapEff"] == worker {
				workers++
				effective := strings.Fields(s["Uid"])[1]
				require.Equal(t, strconv.Itoa(0xfffffffd), effective,
					"a worker could own a user namespace")
			} else {
				require.Equal(t, "0000000000000000", s["CapEff"])
			}
		}
		require.NotZero(t, workers, "no worker thread was found")
	})
}

// TestHelpersAreConfined shows that the process that starts helpers, and those that wait, are
// under a filter of their own, with the capabilities that only helpers need and without the
// agent's.
func TestHelpersAreConfined(t *testing.T) {
	forEachStart(t, func(t *testing.T, agent *runc.Agent) {
		processes := helpers(t, agent.Pid())
		for i, pid := range processes {
			all := threads(t, pid)
			require.Len(t, all, 1)
			s := status(t, all[0])
			require.Equal(t, hex(t, "setuid", "setgid", "sys_chroot", "net_bind_service",
				"net_admin", "dac_override"), s["CapPrm"])
			require.Equal(t, "0000000000000000", s["CapEff"])
			require.Equal(t, "0000000000000000", s["CapInh"])
			require.Equal(t, "0000000000000000", s["CapAmb"])
			require.Equal(t, hex(t, runc.Capabilities(t)...), s["CapBnd"])
			require.Equal(t, "1", s["NoNewPrivs"])
			require.Equal(t, "2", s["Seccomp"])
			fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			require.NoError(t, err)
			if i == 0 { // it starts the others
				require.Len(t, fds, 4)
			} else {
				require.Len(t, fds, 2)
			}
			maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
			require.NoError(t, err)
			require.NotContains(t, string(maps), "Go: heap")
			require.NotContains(t, string(maps), "memfd:")
		}
		require.NoError(t, syscall.Kill(agent.Pid(), syscall.SIGKILL))
		require.Eventually(t, func() bool {
			for _, pid := range processes {
				if syscall.Kill(pid, 0) == nil {
					return false
				}
			}
			return true
		}, time.Minute, time.Millisecond, "they outlive the agent")
	})
}

// helpers returns the process that starts an agent's helpers, and those helpers that wait.
func helpers(t *testing.T, agent int) (pids []int) {
	t.Helper()
	require.Eventually(t, func() bool {
		pids = children(t, agent)
		if len(pids) == 1 {
			pids = append(pids, children(t, pids[0])...)
		}
		return len(pids) >= 4
	}, time.Minute, time.Millisecond)
	return pids
}

// children returns the processes that a process has started.
func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/status")
	require.NoError(t, err)
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", pid)) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			require.NoError(t, err)
			pids = append(pids, child)
		}
	}
	return pids
}

// hex returns a set of capabilities in the form of /proc/PID/status.
func hex(t *testing.T, names ...string) string {
	t.Helper()
	var bits uint64
	for _, name := range names {
		value, err := cap.FromName("cap_" + name)
		require.NoError(t, err)
		bits |= 1 << value
	}
	return fmt.Sprintf("%016x", bits)
}

// threads returns the /proc directories of all threads of a process.
func threads(t *testing.T, pid int) []string {
	t.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// status returns the fields of a thread's status file, proc_pid_status(5).
func status(t *testing.T, thread string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(thread, "status"))
	require.NoError(t, err)
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		fields[key] = strings.TrimSpace(value)
	}
	return fields
}

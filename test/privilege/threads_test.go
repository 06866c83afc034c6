package privilege

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestEveryThreadOfTheAgentIsConfined shows that every thread of the agent has the same
// restricted privileges, whether the unit or root started the agent. One thread with more
// would be enough for an attacker.
func TestEveryThreadOfTheAgentIsConfined(t *testing.T) {
	kept := cap.NewSet()
	for _, name := range runc.Capabilities(t) {
		value, err := cap.FromName("cap_" + name)
		require.NoError(t, err)
		require.NoError(t, kept.SetFlag(cap.Permitted, true, value))
	}
	worker := fmt.Sprintf("%016x", 1<<cap.SYS_PTRACE)
	for name, start := range map[string]func(testing.TB) *runc.Agent{
		"started by the unit": runc.StartAgent,
		"started by root":     runc.StartAgentAsRoot,
	} {
		t.Run(name, func(t *testing.T) {
			agent := start(t)
			agent.Await(t, `"listening"`)
			workers := 0
			for _, thread := range threads(t, agent.Pid()) {
				s := status(t, thread)
				require.Equal(t, hex(kept), s["CapPrm"])
				require.Equal(t, hex(kept), s["CapBnd"])
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
}

// hex returns the permitted set in the form of /proc/PID/status.
func hex(set *cap.Set) string {
	var bits uint64
	for value := range cap.MaxBits() {
		if on, err := set.GetFlag(cap.Permitted, value); err == nil && on {
			bits |= 1 << value
		}
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

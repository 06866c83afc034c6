// Package rerun runs a test again in a process of its own. It serves tests that
// change the process itself: its namespaces, limits or credentials.
package rerun

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const again = "PORT_RESTRICTER_TEST_AGAIN"

// limit is how long the process may take before it is killed.
const limit = time.Minute

// InProcess runs the calling test again in a process with new namespaces, given as
// flags of clone(2), and requires it to pass there. It returns true in that
// process and false in the first one, where the test has nothing left to do.
func InProcess(t *testing.T, namespaces uintptr) bool {
	t.Helper()
	if os.Getenv(again) != "" {
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), again+"=yes")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return false
}

package filter

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/test/oldkernel"
)

// compileVariable is an environment variable. If it is set, the test binary is the child of
// TestEveryKernelGetsTheSameProgram: it hides the flags of seccomp(2) that are its value,
// executes itself, since libseccomp asks the kernel only once, and prints the program.
const compileVariable = "HOOK_TEST_COMPILE"

// libseccomp 2.5 does not compile the filter of its own accord before Linux 5.7, nor where
// a sandbox refuses seccomp(2).
func TestEveryKernelGetsTheSameProgram(t *testing.T) {
	want, err := Compile(Profile(Options{}))
	require.NoError(t, err)
	for _, hidden := range []uint32{0, unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH, oldkernel.Always} {
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), fmt.Sprint(compileVariable, "=", hidden))
		child.Stderr = os.Stderr
		got, err := child.Output()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintln(want), string(got), "without the flags %#x", hidden)
	}
}

func compileWithout(hidden string) error {
	if hidden == "done" {
		program, err := Compile(Profile(Options{}))
		fmt.Println(program)
		return err
	}
	var flags uint32
	if _, err := fmt.Sscan(hidden, &flags); err != nil {
		return err
	}
	if err := oldkernel.Hide(unix.SYS_SECCOMP, flags, unix.EINVAL); err != nil {
		return err
	}
	if err := os.Setenv(compileVariable, "done"); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args[:1], os.Environ())
}

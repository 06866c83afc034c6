package filter

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// compileVariable is an environment variable. If it is set, the test binary is the child of
// TestEveryKernelGetsTheSameProgram: it hides the flags of seccomp(2) that are its value,
// executes itself, since libseccomp asks the kernel only once, and prints the program.
const compileVariable = "HOOK_TEST_COMPILE"

// everything stands for all of seccomp(2).
const everything = ^uint32(0)

// libseccomp 2.5 does not compile the filter of its own accord before Linux 5.7, nor where
// a sandbox refuses seccomp(2).
func TestEveryKernelGetsTheSameProgram(t *testing.T) {
	want, err := Compile(Profile(Options{}))
	require.NoError(t, err)
	for _, hidden := range []uint32{0, unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH, everything} {
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
	if err := hide(flags); err != nil {
		return err
	}
	if err := os.Setenv(compileVariable, "done"); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args[:1], os.Environ())
}

// hide makes the kernel refuse calls of seccomp(2) with any of the flags, as if it did not
// have them.
func hide(flags uint32) error {
	number, argument := uint32(0), uint32(16+8) // offsets in struct seccomp_data
	test := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: flags, Jf: 1}
	if flags == everything {
		test.Jf = 0
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, errno := setModeFilter(unix.SECCOMP_FILTER_FLAG_TSYNC, []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SECCOMP, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: argument},
		test,
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	})
	if errno != 0 {
		return errno
	}
	return nil
}

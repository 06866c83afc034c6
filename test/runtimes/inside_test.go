package runtimes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheCommandLineInsideAContainer shows that the command line serves in a container as an
// engine makes it, whose root has no CAP_SYS_PTRACE, and whose seccomp profile refuses kcmp.
func TestTheCommandLineInsideAContainer(t *testing.T) {
	rootfs, podman := rootfsWithPortRestricter(t), newPodman(t, "runc", nil)
	for _, user := range []string{"0", "1000", "1000 with a capability"} {
		t.Run("user "+user, func(t *testing.T) {
			id, _, privileged := strings.Cut(user, " ")
			options := []string{"--user", id, "--tmpfs", "/tmp", "--workdir", "/tmp"}
			if privileged {
				options = append(options, "--cap-add", "net_bind_service")
			}
			run := func(command ...string) map[string]string {
				result := podman.container(t, slices.Concat(options,
					[]string{"--rootfs", rootfs}, command, []string{"/bin/served", "/bin"})...)
				result.Stdout = "bare: \n" + result.Stdout
				return endsOf(t, result)["bare: "]
			}
			want := run()
			require.Equal(t, "works", want["another_port"])
			want["another_port"] = "EPERM"
			require.Equal(t, want, run("/bin/port-restricter", "-v", "-p", "80,5000", "--"))
		})
	}
}

// TestAProfileThatRefusesWhatTheCommandLineNeedsIsNamed shows what is said in a container with
// Docker's seccomp profile, which allows pidfd_getfd(2) only with CAP_SYS_PTRACE.
func TestAProfileThatRefusesWhatTheCommandLineNeedsIsNamed(t *testing.T) {
	text, err := os.ReadFile("../../hook/filter/testdata/docker-default.json")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	result := newPodman(t, "runc", nil).container(t, "--security-opt", "seccomp="+path,
		"--rootfs", rootfsWithPortRestricter(t),
		"/bin/port-restricter", "-p", "5000", "--", "/bin/served")
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, "SystemCallFilter=pidfd_getfd;")
	require.Contains(t, result.Stderr, "--cap-add SYS_PTRACE")
}

// rootfsWithPortRestricter returns a root file system with port-restricter and served.c.
func rootfsWithPortRestricter(t *testing.T) string {
	t.Helper()
	rootfs := runc.Rootfs(t)
	tmp := filepath.Join(rootfs, "tmp") // podman copies its mode
	require.NoError(t, os.Mkdir(tmp, 0o777))
	require.NoError(t, os.Chmod(tmp, os.ModeSticky|0o777))
	runc.Install(t, filepath.Join(rootfs, "bin"))
	served, err := os.ReadFile(compileServed(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(rootfs, "bin/served"), served, 0o755))
	return rootfs
}

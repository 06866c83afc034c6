package target

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
)

// While a helper makes the call, it has what its target has of all that the kernel asks for.
func TestAHelperHasTheIdentityOfItsTarget(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWNS) {
		return
	}
	path, root := hangingDirectory(t)+"/socket", t.TempDir()
	require.NoError(t, unix.Mount("/", root, "", unix.MS_BIND|unix.MS_REC, ""))
	t.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	user := &syscall.Credential{Uid: somebody, Gid: somebody + 1, Groups: []uint32{7, 8}}
	ids := []syscall.SysProcIDMap{{HostID: 100000, Size: 10}}
	inside := syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
		GidMappingsEnableSetgroups: true,
	}
	userInside := inside
	userInside.Cloneflags |= unix.CLONE_NEWNS
	userInside.Credential = &syscall.Credential{Uid: 5, Gid: 6, Groups: []uint32{7}}
	const few = "setpriv --bounding-set -all,+dac_override,+net_admin,+chown"
	for name, of := range map[string]struct {
		attr syscall.SysProcAttr
		by   string
	}{
		"root":                   {},
		"root, few capabilities": {by: few},
		"a user":                 {attr: syscall.SysProcAttr{Credential: user}},
		"a user with a capability": {attr: syscall.SysProcAttr{
			Credential: user, AmbientCaps: []uintptr{unix.CAP_NET_ADMIN}}},
		"another root and mounts": {attr: syscall.SysProcAttr{
			Chroot: root, Cloneflags: unix.CLONE_NEWNS}},
		"root of a user namespace":                   {attr: inside},
		"root of a user namespace, few capabilities": {attr: inside, by: few},
		"a user of a user namespace":                 {attr: userInside},
	} {
		t.Run(name, func(t *testing.T) {
			of.attr.Pdeathsig = unix.SIGKILL
			script := "umask 0135; cd /usr; exec " + of.by + " sleep infinity"
			process := exec.Command("sh", "-c", script)
			process.SysProcAttr = &of.attr
			require.NoError(t, process.Start())
			pid := process.Process.Pid
			defer func() { _ = process.Process.Kill(); _ = process.Wait() }()
			require.Eventually(t, func() bool {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				return string(name) == "sleep\n"
			}, time.Minute, time.Millisecond)
			target, err := open(uint32(pid))
			require.NoError(t, err)
			defer target.Close()
			done := make(chan error)
			go func() { done <- bindAt(t, &target, path) }()
			helper := hangingHelper(t, os.Getpid())
			require.Equal(t, identityOf(t, pid), identityOf(t, helper))
			require.NoError(t, unix.Kill(helper, unix.SIGKILL))
			require.ErrorIs(t, <-done, ErrNotMade)
		})
	}
}

// identityOf returns what the kernel asks for of a process that binds to a path.
func identityOf(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	fields := regexp.MustCompile(`(?m)^(Umask|Uid|Gid|Groups|CapEff):.*$`)
	all := fields.FindAllString(string(status), -1)
	require.Len(t, all, 5)
	for _, name := range []string{"root", "cwd", "ns/user"} {
		var stat unix.Statx_t
		path, mask := fmt.Sprintf("/proc/%d/%s", pid, name), unix.STATX_INO|unix.STATX_MNT_ID
		require.NoError(t, unix.Statx(unix.AT_FDCWD, path, 0, mask, &stat))
		all = append(all, fmt.Sprint(name, " ", stat.Ino, " on mount ", stat.Mnt_id))
	}
	return strings.Join(all, "\n")
}

package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// musl's resolver binds its socket to port 0: in an annotated container of an Alpine image names
// are found, unless the annotations refuse such clients.
func TestMuslFindsNamesInAnAnnotatedContainer(t *testing.T) {
	agent := runc.StartAgent(t)
	rootfs := runc.Rootfs(t)
	compile := exec.Command("musl-gcc", "-static", "-o", filepath.Join(rootfs, "bin/resolve"),
		"../programs/testdata/resolve.c")
	out, err := compile.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.Mkdir(filepath.Join(rootfs, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(rootfs, "etc/resolv.conf"),
		[]byte("nameserver 127.0.0.1\n"), 0o644))
	for ephemeral, finds := range map[string]bool{"allow": true, "deny": false} {
		c := runc.New(t, runc.Config{
			Rootfs: rootfs, Args: []string{busybox, "sleep", "600"}, Seccomp: agent.Profile(t),
			Annotations: map[string]string{key: "5000", "port-restricter.ephemeral": ephemeral},
		})
		require.NoError(t, c.Start(t))
		serveNames(t, c)
		resolve := func() runc.Result {
			return runc.Finish(t, c.Exec(t, "/bin/resolve", "hello.test"))
		}
		if !finds {
			require.Contains(t, resolve().Stdout, "System error")
			continue
		}
		require.Eventually(t, func() bool { return resolve().Code == 0 }, time.Minute, time.Second)
		require.Contains(t, resolve().Stdout, "192.0.2.7")
	}
}

// serveNames runs a name server in the network namespace of a container, outside of its filter.
func serveNames(t *testing.T, c *runc.Container) {
	t.Helper()
	server := exec.Command("nsenter", "-t", strconv.Itoa(c.Pid(t)), "-n", "dnsmasq",
		"--keep-in-foreground", "--conf-file=/dev/null", "--listen-address=127.0.0.1",
		"--bind-interfaces", "--no-resolv", "--no-hosts", "--address=/hello.test/192.0.2.7",
		"--user=root", "--pid-file")
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
}

// Package cri runs pods for the tests, by real engines through the Kubernetes
// Container Runtime Interface, and leaves nothing of them behind.
package cri

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// patience bounds every call: what takes longer hangs.
const patience = time.Minute

// An Engine is a running CRI server. Its pods share its network namespace,
// which is not the machine's, and so are its processes and mounts: they end
// with it.
type Engine struct {
	runtimeapi.RuntimeServiceClient

	// Dir holds all its files, and is gone with the test.
	Dir string

	name, cgroup string
	process      *exec.Cmd
}

// newEngine makes the directory; the paths in it are short, as sockets' must be.
func newEngine(t testing.TB, name string) *Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", name)
	require.NoError(t, err)
	e := &Engine{Dir: dir, name: name, cgroup: "port-restricter-" + filepath.Base(dir)}
	t.Cleanup(func() {
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, removeCgroups(e.cgroup))
		require.Empty(t, processesNaming(dir), "left behind")
	})
	return e
}

func (e *Engine) path(name string) string { return filepath.Join(e.Dir, name) }

// NRISocket is where it listens for plugins, if it has been told to.
func (e *Engine) NRISocket() string { return e.path("nri.sock") }

func (e *Engine) write(t testing.TB, name, text string) (path string) {
	t.Helper()
	path = e.path(name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

// inNamespaces starts a command in namespaces that end with it.
const inNamespaces = `busybox ip link set lo up && exec "$@"`

// start returns once the engine serves the socket.
func (e *Engine) start(t testing.TB, socket string, command ...string) {
	t.Helper()
	log, err := os.Create(e.path("log"))
	require.NoError(t, err)
	defer log.Close()
	e.process = exec.Command("unshare", append([]string{"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", inNamespaces, "sh"}, command...)...)
	e.process.Stdout, e.process.Stderr = log, log
	require.NoError(t, e.process.Start())
	t.Cleanup(func() {
		_ = e.process.Process.Kill()
		_ = e.process.Wait()
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", e.name, tail(e.path("log")))
		}
	})
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	e.RuntimeServiceClient = runtimeapi.NewRuntimeServiceClient(conn)
	require.Eventually(t, func() bool {
		_, err := e.Version(context.Background(), &runtimeapi.VersionRequest{})
		return err == nil
	}, patience, 100*time.Millisecond, "%s doesn't answer", e.name)
}

// InNetwork is a command as it is called to run in the pods' network.
func (e *Engine) InNetwork(t testing.TB, command ...string) []string {
	t.Helper()
	pid := strconv.Itoa(e.process.Process.Pid)
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	require.NoError(t, err)
	return append([]string{"nsenter", "--net=/proc/" + strings.TrimSpace(string(children)) + "/ns/net", "--"}, command...)
}

func tail(path string) string {
	text, _ := os.ReadFile(path)
	return string(text[max(0, len(text)-8192):])
}

func processesNaming(text string) (found []string) {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		if command, err := os.ReadFile(path); err == nil && strings.Contains(string(command), text) {
			found = append(found, string(command))
		}
	}
	return found
}

// removeCgroups removes what engines leave of a pod's cgroup, in every hierarchy.
func removeCgroups(name string) error {
	var all []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		roots, _ := filepath.Glob(pattern + name)
		for _, root := range roots {
			_ = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					all = append(all, path)
				}
				return nil
			})
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if err := os.Remove(all[i]); err != nil {
			return err
		}
	}
	return nil
}

// Package cri is test support. It runs pods by real engines, through the Kubernetes
// Container Runtime Interface (CRI), and removes everything after the test.
//
// StartContainerd and StartCRIO start an Engine in namespaces of its own. Engine.Run
// starts a Pod, Pod.Start starts a Container in it, and Container has the means to run
// commands in the container and to read its log. All containers have the same image,
// whose only program is Busybox.
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

// patience bounds every call to an engine. A call that takes longer is taken to hang.
const patience = time.Minute

// An Engine is a running CRI server. It has network, mount and pid namespaces of its
// own, so its mounts and its processes end with it. Its pods share its network
// namespace.
type Engine struct {
	runtimeapi.RuntimeServiceClient

	// Dir is the directory of all the engine's files. It is removed after the test.
	Dir string

	name, cgroup string
	process      *exec.Cmd
}

// newEngine makes the engine's directory. Its path is short, because the path of a
// socket may have 107 bytes only.
func newEngine(t testing.TB, name string) *Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", name)
	require.NoError(t, err)
	e := &Engine{Dir: dir, name: name, cgroup: "port-restricter-" + filepath.Base(dir)}
	t.Cleanup(func() {
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, removeCgroups(e.cgroup))
		require.Empty(t, processesNaming(dir), "processes that the engine left behind")
	})
	return e
}

func (e *Engine) path(name string) string { return filepath.Join(e.Dir, name) }

// NRISocket returns the path of the socket at which the engine listens for NRI plugins,
// if NRI is on.
func (e *Engine) NRISocket() string { return e.path("nri.sock") }

// write makes a file with the mode 0755 in the engine's directory.
func (e *Engine) write(t testing.TB, name, text string) (path string) {
	t.Helper()
	path = e.path(name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

// inNamespaces is a script that executes the command in its arguments, in a new network
// namespace in which it has brought up lo.
const inNamespaces = `busybox ip link set lo up && exec "$@"`

// start runs the command of the engine in new namespaces, and returns once the engine
// answers at the socket.
func (e *Engine) start(t testing.TB, socket string, command ...string) {
	t.Helper()
	log, err := os.Create(e.path("log"))
	require.NoError(t, err)
	defer log.Close()
	e.process = exec.Command("unshare", append([]string{
		"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", inNamespaces, "sh",
	}, command...)...)
	e.process.Stdout, e.process.Stderr = log, log
	require.NoError(t, e.process.Start())
	t.Cleanup(func() {
		_ = e.process.Process.Kill()
		_ = e.process.Wait()
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", e.name, tail(e.path("log")))
		}
	})
	conn, err := grpc.NewClient("unix://"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	e.RuntimeServiceClient = runtimeapi.NewRuntimeServiceClient(conn)
	require.Eventually(t, func() bool {
		_, err := e.Version(context.Background(), &runtimeapi.VersionRequest{})
		return err == nil
	}, patience, 100*time.Millisecond, "%s doesn't answer CRI calls", e.name)
}

// InNetwork returns the command that runs another command in the pods' network namespace.
func (e *Engine) InNetwork(t testing.TB, command ...string) []string {
	t.Helper()
	return append([]string{"nsenter", "--net=/proc/" + e.pid(t) + "/ns/net", "--"}, command...)
}

// Beside returns the command that runs another command where the engine runs.
func (e *Engine) Beside(t testing.TB, command ...string) []string {
	t.Helper()
	return append([]string{"nsenter", "--target", e.pid(t), "--mount", "--pid", "--"}, command...)
}

// pid returns the process id of the engine.
func (e *Engine) pid(t testing.TB) string {
	t.Helper()
	pid := strconv.Itoa(e.process.Process.Pid)
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	require.NoError(t, err)
	return strings.TrimSpace(string(children)) // unshare's only child
}

// tail returns the last 8 KiB of a file.
func tail(path string) string {
	text, _ := os.ReadFile(path)
	return string(text[max(0, len(text)-8192):])
}

// processesNaming returns the command lines of all processes that contain a text.
func processesNaming(text string) (found []string) {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		command, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(command), text) {
			found = append(found, string(command))
		}
	}
	return found
}

// removeCgroups removes a cgroup that the engine left behind, with the cgroups below it,
// in every hierarchy.
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

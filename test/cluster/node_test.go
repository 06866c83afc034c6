// Package cluster runs Kubernetes: its own programs, real engines and a real systemd on a node,
// where port-restricter is installed as docs/kubernetes.md says.
package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/booted"
)

// patience bounds every wait, on a busy machine.
const patience = 3 * time.Minute

// A node is a machine of the cluster: a systemd with namespaces of its own, whose root directory
// is a copy of this machine's.
type node struct {
	booted.System
	t *testing.T
}

// boot starts a node. It ends with the test.
func boot(t *testing.T) node {
	t.Helper()
	tools, err := filepath.Abs("../../.cache/tools")
	require.NoError(t, err)
	tools, err = filepath.EvalSymlinks(tools)
	require.NoError(t, err)
	return node{booted.BootBy(t, exec.Command("testdata/boot.sh", tools)), t}
}

// path returns where the test sees a file of the node.
func (n node) path(name string) string {
	return filepath.Join("/proc", fmt.Sprint(n.PID), "root", name)
}

// write writes a file on the node.
func (n node) write(name, text string) {
	n.t.Helper()
	require.NoError(n.t, os.MkdirAll(filepath.Dir(n.path(name)), 0o755))
	require.NoError(n.t, os.WriteFile(n.path(name), []byte(text), 0o755))
}

// service starts a service of the node, of a type that systemd.service(5) lists.
func (n node) service(kind, name string, command ...string) {
	n.t.Helper()
	log := "/var/log/" + name + ".log"
	n.write("/etc/systemd/system/"+name+".service", fmt.Sprintf(`[Service]
Type=%s
ExecStart=%s
StandardOutput=append:%s
StandardError=inherit
Delegate=yes
CPUAccounting=yes
MemoryAccounting=yes
KillMode=process
LimitNOFILE=65536
TimeoutStartSec=%d
Restart=on-failure
`, kind, strings.Join(command, " \\\n\t"), log, int(patience.Seconds())))
	n.t.Cleanup(func() {
		if n.t.Failed() {
			text, _ := os.ReadFile(n.path(log))
			n.t.Logf("the end of %s:\n%s", log, text[max(0, len(text)-2048):])
		}
	})
	n.Sh("systemctl daemon-reload; systemctl start " + name)
}

// copy copies a file of the test to the node.
func (n node) copy(from, to string) {
	n.t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(n.t, err)
	n.write(to, string(text))
}

// finished is a command that has ended.
type finished struct {
	code           int
	stdout, stderr string
}

// finish runs a command to its end.
func finish(t *testing.T, command *exec.Cmd) finished {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return finished{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// kubectl runs kubectl to its end, as an administrator whose machine is not the node.
func (n node) kubectl(input string, args ...string) finished {
	n.t.Helper()
	network := fmt.Sprintf("--net=/proc/%d/ns/net", n.PID)
	command := exec.Command("nsenter",
		append([]string{network, "--", runc.Built(n.t, "kubectl")}, args...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+n.adminConfig())
	command.Stdin = strings.NewReader(input)
	return finish(n.t, command)
}

// adminConfig returns the administrator's kubeconfig, with a path that the test has.
func (n node) adminConfig() string {
	n.t.Helper()
	text, err := os.ReadFile(n.path(kubeconfig("admin")))
	require.NoError(n.t, err)
	path := filepath.Join(n.t.TempDir(), "config")
	here := strings.ReplaceAll(string(text), authority, n.path(authority))
	require.NoError(n.t, os.WriteFile(path, []byte(here), 0o600))
	return path
}

// succeed runs kubectl, which must succeed, and returns what it prints.
func (n node) succeed(input string, args ...string) string {
	n.t.Helper()
	done := n.kubectl(input, args...)
	if done.code != 0 {
		pods := n.kubectl("", "-n", "port-restricter", "describe", "pods")
		n.t.Logf("the pods of port-restricter:\n%s", pods.stdout)
	}
	require.Zero(n.t, done.code, "kubectl %s: %s%s", args, done.stdout, done.stderr)
	return strings.TrimSpace(done.stdout)
}

// await runs a kubectl that waits, which must succeed.
func (n node) await(input string, args ...string) {
	n.t.Helper()
	n.succeed(input, append(args, "--timeout="+patience.String())...)
}

// apply applies a manifest.
func (n node) apply(manifest string) {
	n.t.Helper()
	n.succeed(manifest, "apply", "-f", "-")
}

// prints waits until kubectl prints a text.
func (n node) prints(text string, args ...string) {
	n.t.Helper()
	var last finished
	ok := false
	for deadline := time.Now().Add(patience); !ok && time.Now().Before(deadline); {
		last = n.kubectl("", args...)
		ok = strings.Contains(last.stdout, text)
		time.Sleep(200 * time.Millisecond)
	}
	require.True(n.t, ok, "kubectl %s doesn't print %s: %s%s", args, text, last.stdout, last.stderr)
}

// Package node runs port-restricter-node as its pod does, on systems with a real systemd: with only
// those directories of the node that deploy/kubernetes mounts, and without any capability.
package node

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/booted"
)

const tools = "../../.cache/tools"

// A node is a system with the files of the image in /srv/image.
type node struct {
	booted.System
	t *testing.T
}

// boot starts a node on which containerd runs, as a service.
func boot(t *testing.T, more ...string) node {
	t.Helper()
	dir := t.TempDir()
	ask, image := filepath.Join(dir, "ask"), filepath.Join(dir, "image.tar")
	booted.Run(t, "gcc", "-static", "-o", ask, "../survive/testdata/ask.c")
	booted.Run(t, "sh", "-ec", `cd ../..
		deploy/kubernetes/image/root.sh bin "bin/packages/$2/tree" "$1/image"
		tar -cf "$1/image.tar" -C "$1" image`, "sh", dir, runtime.GOARCH)
	files := append([]string{ask, image, tools + "/containerd"}, more...)
	n := node{booted.Boot(t, files...), t}
	n.Sh("tar -xf /srv/image.tar -C /srv && rm /srv/image.tar")
	n.containerd("")
	return n
}

// containerd starts containerd with a configuration.
func (n node) containerd(config string) {
	n.t.Helper()
	n.Sh(`mkdir -p /run/systemd/system /etc/containerd
		printf '%s' '` + config + `' >/etc/containerd/config.toml
		printf '[Service]\nExecStart=/srv/containerd --root /run/c/root --state /run/c/state
		' >/run/systemd/system/containerd.service
		systemctl daemon-reload
		systemctl restart containerd`)
	n.await("[ -S /run/nri/nri.sock ]")
}

// await waits until a command of the node succeeds.
func (n node) await(command string) {
	n.t.Helper()
	n.Sh("timeout 60 sh -c 'until " + command + "; do sleep 0.1; done'")
}

// pod runs port-restricter-node, and returns what it prints. Its directories are mounted as the
// DaemonSet mounts them. The shell that mounts them has the capabilities for that, and the program
// has none.
//
// With the arguments --kill-after SECONDS before the others, it is killed then.
func (n node) pod(args ...string) (string, error) {
	kill, run := "", "ro"
	if args[0] == "--kill-after" {
		kill, args = "timeout --signal=KILL "+args[1], args[2:]
	}
	if args[0] == "uninstall" {
		run = "rw"
	}
	script := `mkdir -p /srv/host/etc /srv/host/run /srv/host/usr/local
		mount --make-rprivate /
		mount --bind /etc /srv/host/etc
		mount --bind /usr/local /srv/host/usr/local
		mount --rbind /run /srv/host/run
		mount -o remount,bind,` + run + ` /srv/host/run
		exec ` + kill + ` setpriv --bounding-set=-all --inh-caps=-all --no-new-privs \
			/srv/image/port-restricter-node "$@"`
	full := append([]string{"unshare", "--mount", "sh", "-ec", script, "sh",
		args[0], "--host", "/srv/host"}, args[1:]...)
	if args[0] == "install" {
		full = append(full, "--tree", "/srv/image/tree")
	}
	out, err := n.Command(full...).CombinedOutput()
	return string(out), err
}

// do runs port-restricter-node, which must succeed.
func (n node) do(args ...string) string {
	n.t.Helper()
	out, err := n.pod(args...)
	require.NoError(n.t, err, "%s: %s", strings.Join(args, " "), out)
	return out
}

// refused runs port-restricter-node, which must fail, and change nothing.
func (n node) refused(args ...string) string {
	n.t.Helper()
	before := n.state()
	out, err := n.pod(args...)
	var exit *exec.ExitError
	require.ErrorAs(n.t, err, &exit, "%s: %s", strings.Join(args, " "), out)
	require.Equal(n.t, 125, exit.ExitCode(), out)
	n.is(before, strings.Join(args, " "))
	return out
}

// is fails the test if the node's state is another one.
func (n node) is(want, when string) {
	n.t.Helper()
	if got := n.state(); got != want {
		n.t.Fatalf("the node is not as it was: %s\n%s", when, udiff.Unified("was", "is", want, got))
	}
}

// state is all that there is on the node: names, kinds, modes, owners, links, and what is in the
// files of each directory that a run could change.
func (n node) state() string {
	n.t.Helper()
	return n.Sh(`cd /
		find . \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
			-o -path ./srv -o -path ./var/tmp -o -path ./var/log -o -path ./var/lib/systemd \) \
			-prune -o -printf '%p %y %m %u %g %l\n' | sort
		find etc usr/local opt var/lib root \
			\( -path var/lib/systemd -o -path var/lib/containers \) -prune -o -type f -print |
			sort | xargs sha256sum
		find run -name '*port-restricter*' -not -path 'run/systemd/*'
		find run/systemd -name '*port-restricter*' -type f`)
}

// running says which processes the units have, and since when.
func (n node) running() string {
	n.t.Helper()
	return n.Sh("systemctl show -p Id,InvocationID,ActiveEnterTimestamp,MainPID,NRestarts " +
		"containerd.service crio.service 'port-restricter*'")
}

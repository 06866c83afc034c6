package runtimes

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// asUser is a script that runs another script as an ordinary user, who may map further ids.
// Its arguments are the binary of port-restricter, the text of the other script, the OCI
// runtime and podman's cgroup option. It puts the binary and a root file system into /run.
const asUser = `set -e
	echo 'ordinary:x:4321:4321::/run/home:/bin/sh' >>/etc/passwd
	echo 'ordinary:x:4321:' >>/etc/group
	echo 'ordinary:1000000:65536' | tee /etc/subuid >/etc/subgid
	mkdir -p /run/home /run/rootfs/bin /run/rootfs/etc /run/rootfs/run
	cp "$1" /run/port-restricter
	cp /bin/busybox /run/rootfs/bin
	printf %s "$2" >/run/script
	chown -R 4321:4321 /run/home /run/rootfs
	cd /run/home
	# podman leaves a process that holds its user namespace.
	exec env HOME=/run/home XDG_RUNTIME_DIR=/run/home RUNTIME="$3" CGROUPS="$4" \
		unshare --pid --fork --kill-child --mount-proc \
		setpriv --reuid 4321 --regid 4321 --init-groups sh /run/script`

// rootless is a script that configures podman for the user, starts the user's agent by the
// command that configure recommends, and runs a container for each of two ports. It prints
// the exit status of each container.
const rootless = `set -e
	start=$(/run/port-restricter configure podman |
		sed -n 's/^next: .*\(port-restricter agent .*\); .*/\1/p')
	/run/$start &
	agent=$!
	trap 'kill $agent; wait' EXIT
	while ! [ -S ${start##* } ]; do sleep 0.1; done
	for port in 5000 5001; do
		status=0
		timeout 60 podman --storage-driver vfs --cgroup-manager cgroupfs --runtime $RUNTIME \
			run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 $CGROUPS \
			--annotation port-restricter.port=5000 --rootfs /run/rootfs \
			/bin/busybox sh -c "busybox timeout 1 busybox nc -l -p $port; exit \$?" || status=$?
		echo $port: $status
	done`

// TestRootlessPodmanIsHeldByTheUsersOwnAgent shows that an agent without privileges serves
// the containers of its own user: it may inspect processes in user namespaces that the user
// owns.
func TestRootlessPodmanIsHeldByTheUsersOwnAgent(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		world := runc.NewWorld(t, runc.World{Cgroup2: runtime == "crun", Settings: "\n"})
		cgroups := ""
		if runtime == "crun" {
			cgroups = "--cgroups=disabled"
		}
		command := world.Enter("sh", "-c", asUser, "sh", runc.Binary(t), rootless, runtime, cgroups)
		result := runc.Finish(t, exec.Command(command[0], command[1:]...))
		require.Contains(t, result.Stdout, "5000: 143\n", result.Stderr)
		require.Contains(t, result.Stdout, "5001: 1\n", result.Stderr)
		require.Contains(t, result.Stderr, refusal)
	})
}

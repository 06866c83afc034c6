package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// asUser is a script that runs another script as an ordinary user, who has an agent. The
// user is in a group, second, and can map further ids. The script puts port-restricter, a
// root file system, and a directory for the second group into /run. Its arguments are those
// of an ordinaryUser.
const asUser = `set -e
	echo 'ordinary:x:4321:4321::/run/home:/bin/sh' >>/etc/passwd
	printf 'ordinary:x:4321:\nsecond:x:4322:ordinary\n' >>/etc/group
	echo "$5" | tee /etc/subuid >/etc/subgid
	mkdir -p /run/home /run/rootfs/bin /run/rootfs/etc /run/rootfs/run /run/rootfs/tmp /run/second
	chmod 1777 /run/rootfs/tmp
	cp "$1" "$1-admin" /run
	cp /bin/busybox "$4" /run/rootfs/bin
	printf %s "$2" >/run/script
	chown -R 4321:4321 /run/home /run/rootfs
	chgrp 4322 /run/second
	chmod 2770 /run/second
	cd /run/home
	export HOME=/run/home XDG_RUNTIME_DIR=/run/home RUNTIME="$3" AGENT_GROUPS="$6" GROUPS_="$7"
	# podman leaves a process that holds its user namespace.
	exec unshare --pid --fork --kill-child --mount-proc sh -ec '
		as() { exec setpriv --reuid 4321 --regid 4321 "$@"; }
		# The command that configure recommends.
		start=$( (as --init-groups /run/port-restricter configure podman) |
			sed -n "s/^next: .*\(port-restricter agent .*\); .*/\1/p")
		(as $AGENT_GROUPS /run/$start) &
		agent=$!
		trap "kill $agent; wait" EXIT
		while ! [ -S ${start##* } ]; do sleep 0.1; done
		(as $GROUPS_ sh -e /run/script)'`

// run is a function for scripts. It runs a container.
const run = `
	run() {
		cgroups=
		if [ "$RUNTIME" = crun ]; then cgroups=--cgroups=disabled; fi
		timeout 60 podman --storage-driver vfs --cgroup-manager cgroupfs --runtime $RUNTIME \
			run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 $cgroups "$@"
	}`

// An ordinaryUser has an agent and runs a script with podman.
type ordinaryUser struct {
	script, runtime     string
	program             string // that containers have in /bin
	noFurtherIDs        bool   // the user can map no further ids
	agentGroups, groups string // options of setpriv(1); empty for the groups that the user has
}

// run runs the script in a World of its own.
func (u ordinaryUser) run(t *testing.T) runc.Result {
	t.Helper()
	further := "ordinary:1000000:65536"
	if u.noFurtherIDs {
		further = ""
	}
	orAll := func(groups string) string {
		if groups == "" {
			return "--init-groups"
		}
		return groups
	}
	world := runc.NewWorld(t, runc.World{Cgroup2: u.runtime == "crun", Settings: "\n"})
	command := world.Enter("sh", "-c", asUser, "sh", runc.Binary(t), run+u.script, u.runtime,
		u.program, further, orAll(u.agentGroups), orAll(u.groups))
	return runc.Finish(t, exec.Command(command[0], command[1:]...))
}

// TestRootlessPodmanIsHeldByTheUsersOwnAgent shows that an agent without privileges serves
// the containers of its own user: it may inspect processes in user namespaces that the user
// owns.
func TestRootlessPodmanIsHeldByTheUsersOwnAgent(t *testing.T) {
	const rootless = `
		for port in 5000 5001; do
			status=0
			run --annotation port-restricter.port=5000 --rootfs /run/rootfs \
				/bin/busybox sh -c "busybox timeout 1 busybox nc -l -p $port; exit \$?" || status=$?
			echo $port: $status
		done`
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		result := ordinaryUser{script: rootless, runtime: runtime, program: "/bin/true"}.run(t)
		require.Contains(t, result.Stdout, "5000: 143\n", result.Stderr)
		require.Contains(t, result.Stdout, "5001: 1\n", result.Stderr)
		require.Contains(t, result.Stderr, refusal)
	})
}

// serve is a script that runs served.c in containers, without a filter and with one, each
// with the options of a line of stdin. It prints a line before the output of each.
const serve = `
	while read -r options; do
		for held in bare held; do
			echo "$held: $options"
			annotation=note=bare
			if [ $held = held ]; then annotation='"port-restricter.port=80,5000"'; fi
			run $options --annotation "$annotation" --volume /run/second:/second --workdir /tmp \
				--rootfs /run/rootfs /bin/served /second </dev/null
		done
	done <<END
`

// TestRootlessContainersAreServedAsWithoutAFilter shows that the agent of an ordinary user
// takes on the identity of each process in a container, although the agent has a group that
// containers have not: they can't make a socket in the directory of that group.
func TestRootlessContainersAreServedAsWithoutAFilter(t *testing.T) {
	program := compileServed(t)
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		options := []string{"", "--user 1000"}
		if runtime == "crun" {
			options = append(options, "--user 1000 --cap-add net_bind_service", "--group-add 5",
				"--userns keep-id", "--userns keep-id --user 0", "--group-add keep-groups")
		}
		user := ordinaryUser{
			script:  serve + strings.Join(options, "\n") + "\nEND\n",
			runtime: runtime, program: program,
		}
		ends := endsOf(t, user.run(t))
		for _, o := range options {
			bare, held := ends["bare: "+o], ends["held: "+o]
			require.Equal(t, "works", bare["another_port"], o)
			bare["another_port"] = "EPERM"
			require.Equal(t, bare, held, o)
		}
		require.Equal(t, "works", ends["bare: "]["low_port"])
		require.Equal(t, "EACCES", ends["bare: "]["path_elsewhere"])
		if runtime == "crun" {
			require.Equal(t, "works", ends["bare: --group-add keep-groups"]["path_elsewhere"])
		}
	})
}

// TestTheAgentLendsNoGroupThatItCannotDrop shows what an agent does that has another group
// than the container where groups can't be dropped: in a user namespace of a user who can
// map one id only. It makes no call, and says why.
func TestTheAgentLendsNoGroupThatItCannotDrop(t *testing.T) {
	user := ordinaryUser{
		script: serve + "\nEND\n", runtime: "crun", program: compileServed(t), noFurtherIDs: true,
	}
	t.Run("the same groups", func(t *testing.T) {
		ends := endsOf(t, user.run(t))
		require.Equal(t, "works", ends["bare: "]["path_elsewhere"])
		ends["bare: "]["another_port"] = "EPERM"
		require.Equal(t, ends["bare: "], ends["held: "])
	})
	t.Run("a group more", func(t *testing.T) {
		user.groups = "--clear-groups"
		result := user.run(t)
		ends := endsOf(t, result)
		require.Equal(t, "EACCES", ends["bare: "]["path_elsewhere"])
		require.Equal(t, "EPERM", ends["held: "]["path_elsewhere"])
		require.Equal(t, "EPERM", ends["held: "]["path_of_threads"])
		require.Contains(t, result.Stderr, "start the agent with the groups of the container")
	})
}

// compileServed compiles served.c and returns the program's path.
func compileServed(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "served")
	out, err := exec.Command("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
		"-static", "-pthread", "-o", program, "../identities/testdata/served.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.Chmod(program, 0o755))
	return program
}

// endsOf returns how each thing that served.c does ended, by the line before its output.
func endsOf(t *testing.T, result runc.Result) map[string]map[string]string {
	t.Helper()
	require.Zero(t, result.Code, result.Stderr)
	all, container := map[string]map[string]string{}, ""
	for line := range strings.Lines(result.Stdout) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "bare: ") || strings.HasPrefix(line, "held: ") {
			container = line
			all[container] = map[string]string{}
			continue
		}
		name, end, _ := strings.Cut(line, " ")
		all[container][name] = end
	}
	return all
}

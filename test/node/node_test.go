package node

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

const agentPID = "systemctl show -p MainPID --value port-restricter"

func TestInstallUpgradeUninstall(t *testing.T) {
	n := boot(t)
	before := n.state()
	n.do("install")
	require.Equal(t, "enabled\nactive\nactive\nactive", n.Sh(`
		systemctl is-enabled port-restricter.socket
		systemctl is-active port-restricter.socket port-restricter port-restricter-nri`))
	require.Empty(t, n.Sh("grep port-restricter /etc/passwd /etc/group || :"))

	require.Equal(t, "root:root 600\nroot:root 660", n.Sh(
		"stat -c '%U:%G %a' /run/port-restricter/agent.sock /run/port-restricter/control.sock"))
	require.NotEqual(t, "0", n.Sh("awk '/^Uid:/ { print $2 }' /proc/$("+agentPID+")/status"))

	// The second run changes nothing, and restarts nothing.
	installed, running := n.state(), n.running()
	out := n.do("install")
	require.NotContains(t, out, "written")
	n.is(installed, "installed again")
	require.Equal(t, running, n.running())

	// An upgrade replaces the agent, not its containers, and leaves the administrator's words.
	c := n.Start(5000)
	require.Equal(t, "works", c.Bind(5000))
	require.Equal(t, "EPERM", c.Bind(5001))
	n.Sh("echo '# mine' >>/etc/port-restricter/config.toml")
	old, plugin := n.Sh(agentPID), n.Sh("systemctl show -p MainPID --value port-restricter-nri")
	n.Sh("echo another version >>/srv/image/tree/usr/bin/port-restricter-admin")
	n.do("install")
	require.NotEqual(t, old, n.Sh(agentPID))
	require.Equal(t, plugin, n.Sh("systemctl show -p MainPID --value port-restricter-nri"))
	require.Equal(t, "works", c.Bind(5000))
	require.Equal(t, "EPERM", c.Bind(5001))
	require.Equal(t, "# mine", n.Sh("tail -n 1 /etc/port-restricter/config.toml"))
	require.Empty(t, n.Sh("find /usr/local /etc -name '.port-restricter-*'"))

	// A socket that does not listen is started, and the agent's containers go on. To a systemd that
	// does not read its units again, the agent does not want a socket that is enabled now.
	n.Sh("systemctl disable --now port-restricter-events.socket")
	n.do("install")
	require.Equal(t, "active", n.Sh("systemctl is-active port-restricter-events.socket"))
	require.Equal(t, "works", c.Bind(5000))

	// Who holds containers is not uninstalled.
	running = n.running()
	out = n.refused("uninstall")
	require.Contains(t, out, "containers are held by the agent of this node")
	require.Contains(t, out, "test; remove them, or use --force")
	require.Equal(t, running, n.running())
	require.Equal(t, "works", c.Bind(5000))

	// The file that the administrator has changed is all that stays.
	n.do("uninstall", "--force")
	require.Equal(t, "ENOSYS", c.Bind(5000))
	require.Equal(t, "# mine", n.Sh("tail -n 1 /etc/port-restricter/config.toml"))
	n.Sh("rm -r /etc/port-restricter")
	n.is(before, "uninstalled")
	require.Contains(t, n.do("uninstall"), "nothing is installed on this node")

	// A node whose containers are gone is as it was, to the byte.
	n.do("install")
	n.do("uninstall")
	n.is(before, "uninstalled")
}

// Whenever a run is killed, the next one does the rest.
func TestARunThatIsKilledLeavesNothingHalfDone(t *testing.T) {
	n := boot(t)
	before := n.state()
	n.do("install")
	installed := n.state()
	for _, after := range []string{"0.02", "0.05", "0.1", "0.2", "0.3", "0.5", "0.8"} {
		kill := func(args ...string) {
			_, _ = n.pod(append([]string{"--kill-after", after}, args...)...)
		}
		kill("uninstall")
		n.do("uninstall")
		n.is(before, "uninstall was killed after "+after)
		kill("install")
		n.do("install")
		n.is(installed, "install was killed after "+after)
		require.Equal(t, "active\nactive", n.Sh(
			"systemctl is-active port-restricter port-restricter-nri"))
	}
	n.do("uninstall")
	n.is(before, "uninstalled")

	// The files are removed, and the ledger is not yet.
	n.Sh(`mkdir -p /etc/port-restricter /usr/local/lib/port-restricter
		echo '{"files": {}, "dirs": ["/etc/port-restricter"]}' \
			>/usr/local/lib/port-restricter/node.json`)
	n.do("uninstall")
	n.is(before, "uninstall was killed before it removed the ledger")
}

func TestANodeThatCanNotHaveItIsLeftAlone(t *testing.T) {
	deb, err := filepath.Glob("../../bin/packages/*_" + runtime.GOARCH + ".deb")
	require.NoError(t, err)
	require.Len(t, deb, 1, "run make packages")
	n := boot(t, deb[0])

	n.Sh("mkdir -p /usr/local/bin; echo mine >/usr/local/bin/port-restricter")
	require.Contains(t, n.refused("install"),
		"/usr/local/bin/port-restricter is on this node, and is not from here")
	n.Sh("rm /usr/local/bin/port-restricter")

	require.Contains(t, n.refused("install", "--prefix", "/opt"), "not mounted at /srv/host/opt")
	require.Contains(t, n.refused("install", "--engine", "crio"),
		"none of its units crio.service runs")
	require.Contains(t, n.refused("install", "--engine", "podman"), "it is containerd or crio")
	require.Contains(t, n.refused("install", "--host", "/srv/nothing"),
		"--prefix /usr/local is not a directory")

	n.Sh("systemctl stop containerd; rm /run/nri/nri.sock")
	require.Contains(t, n.refused("install"), "--engine containerd or --engine crio")
	n.Sh("systemctl start containerd")
	n.await("[ -S /run/nri/nri.sock ]")

	n.Sh("dpkg -i /srv/" + filepath.Base(deb[0]))
	require.Contains(t, n.refused("install"), "is installed on this node by a package")
	n.do("uninstall")
	require.Equal(t, "active", n.Sh("systemctl is-active port-restricter.socket"))
}

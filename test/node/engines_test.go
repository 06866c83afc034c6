package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The engine is restarted when its configuration changes, and only then.
func TestAnEngineIsConfiguredAndPutBack(t *testing.T) {
	n := boot(t)
	for name, config := range map[string]string{
		"version 2, no newline": "version = 2\n# mine",
		"version 3":             "version = 3\n[debug]\nlevel = \"info\" # mine\n",
	} {
		n.containerd(config)
		before, first := n.state(), n.Sh("systemctl show -p InvocationID containerd")
		n.do("install", "--engine", "containerd")
		require.Equal(t, "inactive", n.Sh("systemctl is-active port-restricter-nri || :"), name)
		second := n.Sh("systemctl show -p InvocationID containerd")
		require.NotEqual(t, first, second, name)
		require.Contains(t, n.Sh("/srv/containerd config dump"),
			"/etc/port-restricter/containerd/port-restricter-runtime", name)

		installed, running := n.state(), n.running()
		n.do("install", "--engine", "containerd")
		n.is(installed, name+", installed again")
		require.Equal(t, running, n.running(), name)

		n.do("uninstall")
		n.is(before, name+", uninstalled")
		require.NotEqual(t, second, n.Sh("systemctl show -p InvocationID containerd"), name)
	}

	// Without the flag, the configuration goes back, and the plugin runs.
	before := n.Sh("sha256sum /etc/containerd/config.toml")
	n.do("install", "--engine", "containerd")
	n.do("install")
	require.Equal(t, before, n.Sh("sha256sum /etc/containerd/config.toml"))
	require.Equal(t, "active", n.Sh("systemctl is-active port-restricter-nri"))
}

// crioConf is a configuration for a node on which no pod is started.
const crioConf = `[crio]
storage_driver = "vfs"
[crio.api]
stream_port = "0"
[crio.image]
signature_policy = "/etc/crio/policy.json"
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
selinux = false
disable_hostport_mapping = true
pinns_path = "/srv/pinns"
default_runtime = "runc"
[crio.runtime.runtimes.runc]
monitor_path = "/srv/conmon"
`

func TestCRIOIsConfiguredAndPutBack(t *testing.T) {
	const glib = "/lib/x86_64-linux-gnu/libglib-2.0.so.0" // of conmon
	n := boot(t, tools+"/crio", tools+"/pinns", "/usr/bin/conmon", glib)
	n.Sh(`systemctl stop containerd
		mkdir -p /etc/crio
		echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/crio/policy.json
		printf '%s' '` + crioConf + `' >/etc/crio/crio.conf
		printf '[Service]\nType=notify\nExecStart=/srv/crio\nEnvironment=LD_LIBRARY_PATH=/srv
			StandardError=append:/run/crio.log\n' \
			>/run/systemd/system/crio.service
		systemctl daemon-reload
		systemctl start crio || { cat /run/crio.log; exit 1; }`)
	before, first := n.state(), n.Sh("systemctl show -p InvocationID crio")
	n.do("install", "--engine", "crio")
	second := n.Sh("systemctl show -p InvocationID crio")
	require.NotEqual(t, first, second)
	require.Contains(t, n.Sh("/srv/crio config 2>/dev/null"),
		`runtime_path = "/etc/port-restricter/crio/port-restricter-runtime"`)

	installed, running := n.state(), n.running()
	n.do("install", "--engine", "crio")
	n.is(installed, "installed again")
	require.Equal(t, running, n.running())

	n.do("uninstall")
	n.is(before, "uninstalled")
	require.Equal(t, "active", n.Sh("systemctl is-active crio"))
}

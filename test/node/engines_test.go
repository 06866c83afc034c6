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

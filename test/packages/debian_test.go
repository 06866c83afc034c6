package packages

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// others are configuration files of others before this package is installed. `configure` changes
// them, and they must be the same in the end.
const others = `mkdir -p /etc/docker /etc/containerd /etc/crio/crio.conf.d
	mkdir -p /etc/containers/containers.conf.d /etc/systemd/system /var/lib/kubelet
	echo '{"log-level":  "info"}' >/etc/docker/daemon.json
	printf 'version = 2\n[grpc]\n  address = "/run/x.sock" # ours\n' >/etc/containerd/config.toml
	printf '[engine]\nruntime = "runc"\n' >/etc/containers/containers.conf
	printf '[Service]\nType=exec\nExecStart=/bin/sleep 1000\n' >/etc/systemd/system/web.service
	systemctl daemon-reload`

// state prints what files of others there are, and what is in them.
const state = `cd / && find etc/docker etc/containerd etc/crio etc/containers etc/systemd/system \
	var/lib/kubelet -type f -exec sha256sum {} + | sort`

func TestInstallUpgradeRemovePurge(t *testing.T) {
	ask := filepath.Join(t.TempDir(), "ask")
	run(t, "gcc", "-static", "-o", ask, "../survive/testdata/ask.c")
	older := only(t, olderVersion(t)+"/*.deb")
	newer, _ := packagesOf(t, native)
	s := boot(t, ask, older, newer, "../../.cache/tools/containerd")
	s.sh(others)
	before := s.sh(state)

	s.sh("dpkg -i /srv/" + filepath.Base(older))
	require.Equal(t, before, s.sh(state), "an installation configures no engine")
	require.Equal(t, "enabled\nactive", s.sh(
		"systemctl is-enabled port-restricter.socket; systemctl is-active port-restricter.socket"))
	for _, unit := range []string{"port-restricter.service",
		"port-restricter-nri.service", "port-restricter-metrics.socket"} {
		require.Equal(t, "disabled\ninactive", s.sh("systemctl is-enabled "+unit+
			" || :; systemctl is-active "+unit+" || :"))
	}

	// The first container starts the agent.
	c := s.start(5000)
	require.Equal(t, "works", c.bind(5000))
	require.Equal(t, "EPERM", c.bind(5001))

	// An upgrade replaces the agent, not its containers, and leaves the administrator's words.
	s.sh("echo '# mine' >>/etc/port-restricter/config.toml")
	const agent = "systemctl show -p MainPID --value port-restricter"
	old := s.sh(agent)
	s.sh("dpkg -i /srv/" + filepath.Base(newer))
	require.NotEqual(t, old, s.sh(agent))
	require.Equal(t, "works", c.bind(5000))
	require.Equal(t, "EPERM", c.bind(5001))
	const control = "port-restricter-control.socket"
	require.Equal(t, "enabled\nactive", // a unit that is new in this version
		s.sh("systemctl is-enabled "+control+"; systemctl is-active "+control))
	require.Contains(t, s.sh("tail -n 1 /etc/port-restricter/config.toml"), "# mine")

	// What has been configured is taken back, and held containers are named.
	for _, engine := range []string{"podman", "containerd", "crio", "docker", "kubelet"} {
		s.sh("port-restricter configure " + engine)
	}
	s.sh("port-restricter systemd web -p 5000")
	require.NotEqual(t, before, s.sh(state))
	said := s.sh("dpkg -r port-restricter")
	require.Contains(t, said, "can bind no port from now on")
	require.Contains(t, said, "removed /etc/containers/containers.conf.d/port-restricter.conf")
	require.Equal(t, before, s.sh(state))
	require.Equal(t, "ENOSYS", c.bind(5000))
	require.Equal(t, "inactive", s.sh("systemctl is-active port-restricter.socket || :"))
	require.Equal(t, "# mine", s.sh("tail -n 1 /etc/port-restricter/config.toml"))

	// With its sandbox, the unit of the NRI plugin reaches the engine and the agent.
	s.sh("dpkg -i /srv/" + filepath.Base(newer))
	s.sh(`systemd-run --unit containerd /srv/containerd \
			--root /tmp/root --state /tmp/state --address /tmp/containerd.sock
		mkdir -p /run/systemd/system/port-restricter-nri.service.d
		printf '[Service]\nStandardError=file:/run/nri.log\n' \
			>/run/systemd/system/port-restricter-nri.service.d/log.conf
		systemctl daemon-reload
		timeout 60 sh -c 'until [ -S /run/nri/nri.sock ]; do sleep 0.1; done'
		systemctl enable --now port-restricter-nri
		timeout 60 sh -c 'until grep "registered with" /run/nri.log; do sleep 0.1; done' ||
			{ cat /run/nri.log; exit 1; }`)

	// A socket that was disabled stays so.
	s.sh("systemctl disable port-restricter.socket")
	s.sh("dpkg -i /srv/" + filepath.Base(newer))
	require.Equal(t, "disabled", s.sh("systemctl is-enabled port-restricter.socket || :"))

	s.sh("dpkg -P port-restricter")
	require.Equal(t, before, s.sh(state))
	require.Empty(t, s.sh("find / -xdev -path /srv -prune -o -name '*port-restricter*' -print | "+
		"grep -v -e ^/var/log -e ^/var/lib/systemd/timers || :"))
	s.sh("dpkg -i /srv/" + filepath.Base(newer))
	require.Equal(t, "enabled", s.sh("systemctl is-enabled port-restricter.socket"))
}

// The same by rpm, in the root directory of a system that does not run.
func TestRPMInstallUpgradeErase(t *testing.T) {
	older := only(t, olderVersion(t)+"/*.rpm")
	_, newer := packagesOf(t, native)
	out := run(t, "unshare", "--mount", "--propagation", "private", "testdata/rpm.sh",
		debian(t), older, newer)
	require.True(t, strings.HasSuffix(out, "done"), out)
}

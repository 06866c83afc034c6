package node

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
)

func TestTheEngineOfEachDistributionIsDetected(t *testing.T) {
	for _, c := range []struct{ engine, active, name, main string }{
		{"", "containerd.service", "containerd", ""},
		{"", "crio.service", "CRI-O", ""},
		{"crio", "crio.service", "CRI-O", ""},
		{"", "k3s.service", "k3s", "/var/lib/rancher/k3s/agent/etc/containerd/config.toml"},
		{"containerd", "k3s-agent.service", "k3s",
			"/var/lib/rancher/k3s/agent/etc/containerd/config.toml"},
		{"", "rke2-server.service", "RKE2",
			"/var/lib/rancher/rke2/agent/etc/containerd/config.toml"},
		{"", "rke2-agent.service", "RKE2",
			"/var/lib/rancher/rke2/agent/etc/containerd/config.toml"},
		{"", "snap.microk8s.daemon-containerd.service", "MicroK8s",
			"/var/snap/microk8s/current/args/containerd-template.toml"},
		{"", "k0sworker.service", "k0s", "/etc/k0s/containerd.toml"},
		{"", "k0scontroller.service", "k0s", "/etc/k0s/containerd.toml"},
		{"crio", "containerd.service", "", ""},
		{"containerd", "crio.service", "", ""},
		{"", "docker.service", "", ""},
	} {
		// Docker's containerd often runs beside the engine of the node.
		for _, beside := range []string{"", "containerd.service"} {
			if c.name == "" || c.name == "containerd" {
				beside = ""
			}
			isActive := func(_ context.Context, unit string) (bool, error) {
				return slices.Contains([]string{c.active, beside}, unit), nil
			}
			d, unit, err := detect(t.Context(), isActive, c.engine)
			if c.name == "" {
				require.ErrorContains(t, err, "no engine of this node was found", c)
				continue
			}
			require.NoError(t, err, c)
			require.Equal(t, c.name, d.name, c)
			require.Equal(t, c.active, unit, c)
			require.Equal(t, c.main, d.containerd.Main, c)
		}
	}
}

// Each distribution's configuration gets the handler where its containerd reads it, and is what it
// was afterwards.
func TestTheConfigurationOfEachDistributionIsPutBack(t *testing.T) {
	const generated = "version = 3\nimports = [\"/var/lib/rancher/k3s/agent/etc/containerd/" +
		"config-v3.toml.d/*.toml\"]\n[plugins.'io.containerd.cri.v1.runtime']\n"
	for _, c := range []struct{ unit, config, dropIn, err string }{
		{"k3s.service", generated, "config-v3.toml.d/port-restricter.toml", ""},
		{"k3s.service", "version = 3\n", "", "does not import"},
		{"rke2-server.service", "version = 2\n", "", "is written anew whenever containerd starts"},
		{"k0sworker.service", "# k0s_managed=true\nversion = 3\n" +
			"imports = [\"/run/k0s/containerd-cri.toml\"]\n",
			"containerd.d/port-restricter.toml", ""},
		{"snap.microk8s.daemon-containerd.service",
			"version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nx = '${SNAP_DATA}/x'\n", "", ""},
		{"snap.microk8s.daemon-containerd.service", "version = 3\n", "port-restricter.toml", ""},
		{"containerd.service", "version = 3\n", "conf.d/port-restricter.toml", ""},
	} {
		n := Node{Host: t.TempDir(), Prefix: "/usr/local", Log: logrus.New()}
		n.Log.SetOutput(t.Output())
		isActive := func(_ context.Context, unit string) (bool, error) {
			return unit == c.unit, nil
		}
		d, _, err := detect(t.Context(), isActive, Containerd)
		require.NoError(t, err)
		main := d.containerd.Main
		if main == "" {
			main = "/etc/containerd/config.toml"
		}
		require.NoError(t, os.MkdirAll(n.at(filepath.Dir(main)), 0o755))
		require.NoError(t, os.WriteFile(n.at(main), []byte(c.config), 0o600))

		plan, err := d.plan(n, false)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c)
			continue
		}
		require.NoError(t, err, c)
		require.NoError(t, n.carryOut(plan))
		if c.dropIn != "" {
			text, err := os.ReadFile(n.at(filepath.Join(filepath.Dir(main), c.dropIn)))
			require.NoError(t, err, c)
			require.Contains(t, string(text), "runtimes.port-restricter]", c)
		}
		if d.containerd.Generated {
			text, err := os.ReadFile(n.at(main))
			require.NoError(t, err)
			require.Equal(t, c.config, string(text), "a generated file is not touched")
		}
		if d.containerd.Merged { // as k0s does
			merged := "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes." +
				"port-restricter]\n"
			require.NoError(t, os.MkdirAll(n.at("/run/k0s"), 0o755))
			require.NoError(t, os.WriteFile(n.at("/run/k0s/containerd-cri.toml"),
				[]byte("version = 3\n"+merged), 0o600))
		}
		again, err := d.plan(n, false)
		require.NoError(t, err, c)
		require.Empty(t, again.Changes, c)

		plan, err = d.plan(n, true)
		require.NoError(t, err, c)
		require.NoError(t, n.carryOut(plan))
		text, err := os.ReadFile(n.at(main))
		require.NoError(t, err)
		require.Equal(t, c.config, string(text), c)
		require.NoFileExists(t, n.at(filepath.Join(filepath.Dir(main), c.dropIn, "x")))
		require.NoDirExists(t, n.at("/etc/port-restricter"))
	}
}

// The units of the packages need the user and the group of the packages, and their place.
func TestAUnitIsMadeForANode(t *testing.T) {
	n := Node{Prefix: "/opt"}
	units, err := filepath.Glob("../../../deploy/systemd/*.s*t")
	require.NoError(t, err)
	services, err := filepath.Glob("../../../deploy/systemd/*.service")
	require.NoError(t, err)
	require.NotEmpty(t, units)
	for _, name := range append(units, services...) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		unit := string(n.unit(text))
		require.NotContains(t, unit, "/usr/bin", name)
		require.NotContains(t, unit, "SocketGroup=port-restricter", name)
		if filepath.Base(name) == agentService {
			require.Contains(t, unit, "\nExecStart=/opt/bin/port-restricter-admin agent\n")
			require.Contains(t, unit, "\nDynamicUser=yes\n")
		}
		if filepath.Base(name) == controlSocket {
			require.Contains(t, unit, "\nSocketGroup=root\n")
		}
	}
}

func TestAPrefixIsAPath(t *testing.T) {
	for _, wrong := range []string{"", "opt", "/a b", "/%h", `/a\b`, "/$x"} {
		require.ErrorContains(t, Node{Prefix: wrong}.validate(), "absolute path", wrong)
	}
}

func TestWhatFailsIsSaid(t *testing.T) {
	failed, err := failures(`{"ok": false, "results": [
		{"name": "kernel", "status": "ok", "text": "x"},
		{"name": "nri", "status": "fail", "text": "no process", "mend": "start it"},
		{"name": "containers", "status": "fail", "text": "old"},
		{"name": "runc", "status": "warn", "text": "w"}]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"nri: no process (start it)"}, failed)
	_, err = failures("port-restricter: no such file")
	require.Error(t, err)
}

// A node that was ready, and on which an installation fails, is not ready any more.
func TestAFailedInstallationTakesTheLabel(t *testing.T) {
	var labels []bool
	n := Node{Prefix: "not absolute", Label: func(_ context.Context, ready bool) error {
		labels = append(labels, ready)
		return nil
	}}
	require.ErrorContains(t, n.Install(t.Context()), "--prefix")
	require.Equal(t, []bool{false}, labels)
}

// What is not mounted can't be found to be clean.
func TestAnEngineWhoseConfigurationIsNotMountedIsRefused(t *testing.T) {
	n := Node{Host: t.TempDir(), Prefix: "/usr/local", Log: logrus.New()}
	for _, d := range distributions {
		_, err := d.plan(n, true)
		if d.containerd.Main == "" {
			require.NoError(t, err, d.name)
			continue
		}
		require.ErrorContains(t, err, "mount "+filepath.Dir(d.containerd.Main)+" of the node")
	}
}

package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each refusal names the file, what is wrong with it and what to do, and nothing is
// written.
func TestRefusals(t *testing.T) {
	const (
		podmanDropIn = "/etc/containers/containers.conf.d/port-restricter.conf"
		podmanHook   = systemDir + "/podman/hooks.d/port-restricter-precreate.json"
		profile      = "/var/lib/kubelet/seccomp/port-restricter.json"
	)
	for name, c := range map[string]struct {
		engine, path, text string
		says               []string
	}{
		"a foreign containers.conf": {
			"podman", podmanDropIn, "[engine]\n",
			[]string{"not written by port-restricter configure", "move it away"},
		},
		"a foreign precreate hook": {
			"podman", podmanHook, `{"version":"1.0.0","hook":{"path":"/x","args":["x"]}}`,
			[]string{"move it away"},
		},
		"a foreign runtime script": {
			"podman", systemDir + "/podman/port-restricter-runtime", "#!/bin/sh\n",
			[]string{"move it away"},
		},
		"hooks_dir of podman in a later file": {
			"podman", "/etc/containers/containers.conf.d/zz.conf",
			"[engine]\nhooks_dir = ['/x']\n",
			[]string{"ROOT/etc/containers/containers.conf.d/zz.conf", "hooks_dir",
				`add "/etc/port-restricter/podman/hooks.d"`},
		},
		"a broken containers.conf": {
			"podman", "/etc/containers/containers.conf", "[engine\n",
			[]string{"ROOT/etc/containers/containers.conf", "not valid TOML"},
		},
		"a foreign crio.conf": {
			"crio", crioDropIn, "[crio]\n",
			[]string{"99-port-restricter.conf", "move it away"},
		},
		"a foreign handler of CRI-O": {
			"crio", "/etc/crio/crio.conf",
			"[crio.runtime.runtimes.port-restricter]\nruntime_path = '/x'\n",
			[]string{"crio.runtime.runtimes.port-restricter", "remove it"},
		},
		"hooks_dir of CRI-O in a later file": {
			"crio", "/etc/crio/crio.conf.d/99-zz.conf", "[crio.runtime]\nhooks_dir = ['/x']\n",
			[]string{"ROOT/etc/crio/crio.conf.d/99-zz.conf", "hooks_dir"},
		},
		"version 1": {
			"containerd", containerdMainFile, "root = '/data'\n",
			[]string{"ROOT" + containerdMainFile, "version = 2"},
		},
		"no CRI": {
			"containerd", containerdMainFile, v2 + "disabled_plugins = ['cri']\n",
			[]string{"ROOT" + containerdMainFile, "disabled_plugins", "configure docker"},
		},
		"an inline table": {
			"containerd", containerdMainFile,
			v2 + `plugins = {"io.containerd.grpc.v1.cri" = ` +
				"{containerd = {runtimes = {runc = {}}}}}\n",
			[]string{"ROOT" + containerdMainFile, "[tables]"},
		},
		"a foreign handler of containerd": {
			"containerd", containerdMainFile,
			v3 + "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.port-restricter]\n" +
				"runtime_type = 'x'\n",
			[]string{"ROOT" + containerdMainFile, "remove it"},
		},
		"a foreign drop-in": {
			"containerd", containerdDropIn, v3,
			[]string{containerdDropIn, "move it away"},
		},
		"a foreign runtime of Docker": {
			"docker", dockerConf, `{"runtimes": {"port-restricter": {"path": "/x"}}}`,
			[]string{"ROOT" + dockerConf, "runtimes.port-restricter", "remove it"},
		},
		"a broken daemon.json": {
			"docker", dockerConf, `{"runtimes": {},}`,
			[]string{"ROOT" + dockerConf, "correct the file first"},
		},
		"a daemon.json that is not an object": {
			"docker", dockerConf, `[]`,
			[]string{"ROOT" + dockerConf},
		},
		"a key that is there twice": {
			"docker", dockerConf, `{"runtimes": {}, "runtimes": {}}`,
			[]string{"ROOT" + dockerConf, `"runtimes"`, "twice"},
		},
		"a foreign profile": {
			"kubelet", profile, `{"defaultAction": "SCMP_ACT_ALLOW"}`,
			[]string{"port-restricter.json", "move it away"},
		},
		"a foreign profile with a listener": {
			"kubelet", profile, `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}`,
			[]string{"move it away"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			put(t, o.Root, c.path, c.text)
			if c.path == containerdDropIn {
				put(t, o.Root, containerdMainFile, v3)
			}
			before := filesIn(t, o.Root)
			_, err := planners[c.engine](o)
			require.Error(t, err)
			for _, says := range c.says {
				require.ErrorContains(t, err, strings.ReplaceAll(says, "ROOT", o.Root))
			}
			require.Equal(t, before, filesIn(t, o.Root))
		})
	}
}

// --remove leaves alone what port-restricter did not write, without an error.
func TestRemoveLeavesForeignFiles(t *testing.T) {
	for engine, foreign := range map[string]struct{ path, text string }{
		"podman": {"/etc/containers/containers.conf.d/port-restricter.conf", "[engine]\n"},
		"crio":   {crioDropIn, "[crio]\n"},
		"containerd": {
			containerdMainFile,
			v2 + "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.port-restricter]\n" +
				"runtime_type = 'x'\n",
		},
		"docker": {dockerConf, `{"runtimes": {"port-restricter": {"path": "/x"}}}`},
		"kubelet": {
			"/var/lib/kubelet/seccomp/port-restricter.json", `{"defaultAction": "SCMP_ACT_ALLOW"}`,
		},
	} {
		t.Run(engine, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			o.Remove = true
			put(t, o.Root, foreign.path, foreign.text)
			require.Empty(t, plan(t, planners[engine], o).Changes)
		})
	}
}

// An engine can't run a missing binary or resolve a relative path, so options that
// say so fail before anything is written.
func TestOptionsAreChecked(t *testing.T) {
	o := optionsIn("")
	o.Binary = filepath.Join(t.TempDir(), "port-restricter")
	_, err := CRIO(o)
	require.ErrorContains(t, err, "--binary PATH")
	require.NoError(t, os.WriteFile(o.Binary, nil, 0o644))
	_, err = CRIO(o)
	require.ErrorContains(t, err, "not an executable file")
	o.Binary = "port-restricter"
	_, err = CRIO(o)
	require.ErrorContains(t, err, `--binary "port-restricter": an engine needs an absolute path`)
	o = optionsIn(t.TempDir())
	o.Listener = "agent.sock"
	_, err = Kubelet(o)
	require.ErrorContains(t, err, `--listener "agent.sock"`)
}

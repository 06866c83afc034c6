package engines

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	v2 = "version = 2\n"
	v3 = "version = 3\n"
)

// Each refusal names the file and what is wrong with it, and writes nothing.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		engine, path, text string
		says               []string
	}{
		"a foreign containers.conf": {"podman", "/etc/containers/containers.conf.d/port-restricter.conf", "[engine]\n", []string{"not from port-restricter configure", "move it away"}},
		"a foreign precreate hook":  {"podman", home + "/podman/hooks.d/port-restricter-precreate.json", `{"version":"1.0.0","hook":{"path":"/x","args":["x"]}}`, []string{"move it away"}},
		"a foreign runtime":         {"podman", home + "/podman/port-restricter-runtime", "#!/bin/sh\n", []string{"move it away"}},
		"hooks_dir said again":      {"podman", "/etc/containers/containers.conf.d/zz.conf", "[engine]\nhooks_dir = ['/x']\n", []string{"zz.conf", "hooks_dir", `add "/etc/port-restricter/podman/hooks.d"`}},
		"a broken containers.conf":  {"podman", "/etc/containers/containers.conf", "[engine\n", []string{"/etc/containers/containers.conf", "no TOML"}},
		"a foreign crio.conf":       {"crio", crioDropIn, "[crio]\n", []string{"99-port-restricter.conf", "move it away"}},
		"a foreign crio handler":    {"crio", "/etc/crio/crio.conf", "[crio.runtime.runtimes.port-restricter]\nruntime_path = '/x'\n", []string{"crio.runtime.runtimes.port-restricter", "take it out"}},
		"hooks_dir of CRI-O again":  {"crio", "/etc/crio/crio.conf.d/99-zz.conf", "[crio.runtime]\nhooks_dir = ['/x']\n", []string{"99-zz.conf", "hooks_dir"}},
		"version 1":                 {"containerd", containerdConf, "root = '/data'\n", []string{containerdConf, "version = 2"}},
		"no CRI":                    {"containerd", containerdConf, v2 + "disabled_plugins = ['cri']\n", []string{containerdConf, "disabled_plugins", "configure docker"}},
		"an inline table":           {"containerd", containerdConf, v2 + "plugins = {\"io.containerd.grpc.v1.cri\" = {containerd = {runtimes = {runc = {}}}}}\n", []string{containerdConf, "[tables]"}},
		"a foreign handler":         {"containerd", containerdConf, v3 + "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.port-restricter]\nruntime_type = 'x'\n", []string{containerdConf, "take it out"}},
		"a foreign drop-in":         {"containerd", containerdDropIn, v3, []string{containerdDropIn, "move it away"}},
		"a foreign docker runtime":  {"docker", dockerConf, `{"runtimes": {"port-restricter": {"path": "/x"}}}`, []string{dockerConf, "runtimes.port-restricter", "take it out"}},
		"a broken daemon.json":      {"docker", dockerConf, `{"runtimes": {},}`, []string{dockerConf, "mend it first"}},
		"a daemon.json of no use":   {"docker", dockerConf, `[]`, []string{dockerConf}},
		"a key twice":               {"docker", dockerConf, `{"runtimes": {}, "runtimes": {}}`, []string{dockerConf, `"runtimes"`, "twice"}},
		"a foreign profile":         {"kubelet", "/var/lib/kubelet/seccomp/port-restricter.json", `{"defaultAction": "SCMP_ACT_ALLOW"}`, []string{"port-restricter.json", "move it away"}},
		"another profile of ours":   {"kubelet", "/var/lib/kubelet/seccomp/port-restricter.json", `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}`, []string{"move it away"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			put(t, o.Root, c.path, c.text)
			if c.path == containerdDropIn {
				put(t, o.Root, containerdConf, v3)
			}
			before := filesIn(t, o.Root)
			_, err := planners[c.engine](o)
			require.Error(t, err)
			for _, says := range c.says {
				require.ErrorContains(t, err, says)
			}
			require.Equal(t, before, filesIn(t, o.Root))
		})
	}
}

// What isn't ours is left alone by --remove.
func TestRemoveLeavesForeignFiles(t *testing.T) {
	for engine, foreign := range map[string][2]string{
		"podman":     {"/etc/containers/containers.conf.d/port-restricter.conf", "[engine]\n"},
		"crio":       {crioDropIn, "[crio]\n"},
		"containerd": {containerdConf, v2 + "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.port-restricter]\nruntime_type = 'x'\n"},
		"docker":     {dockerConf, `{"runtimes": {"port-restricter": {"path": "/x"}}}`},
		"kubelet":    {"/var/lib/kubelet/seccomp/port-restricter.json", `{"defaultAction": "SCMP_ACT_ALLOW"}`},
	} {
		t.Run(engine, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			o.Remove = true
			put(t, o.Root, foreign[0], foreign[1])
			require.Empty(t, plan(t, planners[engine], o).Changes)
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	o := optionsIn("")
	o.Binary = filepath.Join(t.TempDir(), "port-restricter")
	_, err := CRIO(o)
	require.ErrorContains(t, err, "--binary PATH")
	require.NoError(t, os.WriteFile(o.Binary, nil, 0o644))
	_, err = CRIO(o)
	require.ErrorContains(t, err, "no executable file")
	o.Binary = "port-restricter"
	_, err = CRIO(o)
	require.ErrorContains(t, err, `--binary "port-restricter": an engine needs an absolute path`)
	o = optionsIn(t.TempDir())
	o.Listener = "agent.sock"
	_, err = Kubelet(o)
	require.ErrorContains(t, err, `--listener "agent.sock"`)
}

// An import that somebody wrote himself must not be left to name a file that is
// gone: containerd would not start.
func TestRemoveRefusesToBreakImports(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, containerdConf, v3+"imports = ['/a.toml', '"+containerdDropIn+"']\n")
	apply(t, plan(t, Containerd, o))
	o.Remove = true
	_, err := Containerd(o)
	require.ErrorContains(t, err, "take it out of imports")
}

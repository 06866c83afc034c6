package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inspect returns the state that is seen by somebody who does not know with which flags configure
// was run.
func inspect(t *testing.T, engine string, o Options) (State, error) {
	t.Helper()
	unknown := optionsIn(o.Root)
	unknown.ConfigHome = o.ConfigHome
	return Inspect(unknown, engine, planners[engine])
}

// TestInspectSeesEachLostChange shows for all engines that a configuration is found with the
// options that it was written with, and that each of its files is missed.
func TestInspectSeesEachLostChange(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/*/before")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, before := range cases {
		parts := strings.Split(before, "/")
		engine, name := parts[1], parts[2]
		if engine == "systemd" {
			continue
		}
		t.Run(engine+"/"+name, func(t *testing.T) {
			o := optionsFor(filepath.Dir(before), copyOf(t, before))
			state, err := inspect(t, engine, o)
			require.NoError(t, err)
			require.False(t, state.Written)
			require.False(t, state.Drifted())

			o.Listener, o.Binary = "/run/it's another.sock", "/opt/port-restricter"
			o.Metadata = "port-restricter.port=8000-8999\nport-restricter.audit=allow"
			changes := plan(t, planners[engine], o).Changes
			apply(t, plan(t, planners[engine], o))
			state, err = inspect(t, engine, o)
			require.NoError(t, err)
			require.True(t, state.Written)
			require.Empty(t, state.Plan.Diff())
			require.Equal(t, o.Listener, state.Options.Listener)
			require.Equal(t, o.Metadata, state.Options.Metadata)

			for _, lost := range changes {
				if lost.Before == nil {
					require.NoError(t, os.Remove(lost.Path))
				} else {
					require.NoError(t, os.WriteFile(lost.Path, lost.Before, lost.Mode))
				}
				state, err := inspect(t, engine, o)
				require.NoError(t, err, lost.Path)
				if len(changes) > 1 {
					require.True(t, state.Drifted(), lost.Path)
				} else {
					require.False(t, state.Written, lost.Path)
				}
				require.NoError(t, os.WriteFile(lost.Path, lost.After, lost.Mode))
			}
		})
	}
}

// TestInspectSeesAnEdit shows what an administrator's hand makes of a configuration.
func TestInspectSeesAnEdit(t *testing.T) {
	for _, c := range []struct{ engine, file, text, by, err string }{
		{"podman", "/etc/containers/containers.conf.d/port-restricter.conf", "hooks_dir", "x", ""},
		{"podman", "/etc/port-restricter/podman/hooks.d/port-restricter-poststart.json",
			`"always": true`, `"always": false`, ""},
		{"containerd", "/etc/containerd/config.toml", "[Pp]*", "[x]*", ""},
		{"containerd", "/etc/containerd/config.toml", "configure: end", "the end",
			"was not written by port-restricter configure"},
		{"crio", "/etc/crio/crio.conf.d/99-port-restricter.conf", "runtime_path = ", "path = ", ""},
		{"docker", "/etc/docker/daemon.json", "/etc/port-restricter/docker", "/opt",
			"was not written by port-restricter configure"},
		{"docker", "/etc/port-restricter/docker/port-restricter-runtime", " runtime ", " ", ""},
		{"kubelet", "/var/lib/kubelet/seccomp/port-restricter.json", `"setsockopt"`, `"x"`, ""},
	} {
		t.Run(c.engine+" "+c.text, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			apply(t, plan(t, planners[c.engine], o))
			path := filepath.Join(o.Root, c.file)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			edited := strings.ReplaceAll(string(text), c.text, c.by)
			require.NotEqual(t, string(text), edited)
			require.NoError(t, os.WriteFile(path, []byte(edited), 0o644))
			state, err := inspect(t, c.engine, o)
			require.True(t, state.Written)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.True(t, state.Drifted())
		})
	}
}

func TestForwardingNamesTheHandlersThatHideAnnotations(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, containerdMainFile, `version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.all]
pod_annotations = ["*"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.named]
pod_annotations = ["x", "port-restricter.port"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other]
pod_annotations = ["port-restricter"]
`)
	passing, hiding, err := Forwarding(o)
	require.NoError(t, err)
	require.Equal(t, []string{"all", "named"}, passing)
	require.Equal(t, []string{"other", "runc"}, hiding)
}

package engines

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/hook/filter"
)

// The profile that is written is the filter merged into the base, and replaces a
// profile of an earlier run that had no base.
func TestKubeletProfileIsMergedIntoTheBase(t *testing.T) {
	o := optionsIn(t.TempDir())
	apply(t, plan(t, Kubelet, o)) // without a base
	o.BaseProfile = filepath.Join(t.TempDir(), "base.json")
	base := `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [` +
		`{"names": ["bind", "listen", "read"], "action": "SCMP_ACT_ALLOW"}]}`
	require.NoError(t, os.WriteFile(o.BaseProfile, []byte(base), 0o644))
	o.Metadata = "port-restricter.port=5000"
	apply(t, plan(t, Kubelet, o))

	profile, err := filter.ReadProfile(o.BaseProfile)
	require.NoError(t, err)
	want, err := filter.Merge(profile, filter.Options{
		ListenerPath: o.Listener, ListenerMetadata: o.Metadata,
	})
	require.NoError(t, err)
	path := filepath.Join(o.Root, o.KubeletRoot, "seccomp/port-restricter.json")
	written, err := filter.ReadProfile(path)
	require.NoError(t, err)
	require.Equal(t, want, written)

	o.BaseProfile = "/missing.json"
	_, err = Kubelet(o)
	require.ErrorContains(t, err, "/missing.json")
}

// The default profile of the engines is a base, too, and what check reads back is whole.
// Without a base the plan warns, unless the profile is removed.
func TestKubeletProfileIsMergedIntoTheDefaultProfile(t *testing.T) {
	o := optionsIn(t.TempDir())
	require.Contains(t, plan(t, Kubelet, o).Warning, "--base default")
	o.BaseProfile = "default"
	planned := plan(t, Kubelet, o)
	require.Empty(t, planned.Warning)
	apply(t, planned)

	path := filepath.Join(o.Root, o.KubeletRoot, "seccomp/port-restricter.json")
	written, err := filter.ReadProfile(path)
	require.NoError(t, err)
	require.Equal(t, specs.ActErrno, written.DefaultAction)
	o.BaseProfile = ""
	state, err := Inspect(o, "kubelet", Kubelet)
	require.NoError(t, err)
	require.True(t, state.Written)
	require.False(t, state.Drifted())

	o.Remove = true
	require.Empty(t, plan(t, Kubelet, o).Warning)
}

// What is printed after the profile was written says that the profile alone is not enough.
func TestKubeletSaysThatContainerdHidesAnnotations(t *testing.T) {
	usage := plan(t, Kubelet, optionsIn(t.TempDir())).Usage
	require.Contains(t, usage, "runtimeClassName: port-restricter")
	require.Contains(t, usage, "port-restricter configure containerd")
}

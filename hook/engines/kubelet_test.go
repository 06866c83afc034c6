package engines

import (
	"os"
	"path/filepath"
	"testing"

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

package hook

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// What a container brings must not start it all the same: by crun's annotations it could replace
// the profile that has the reason.
func TestAnUnstartableConfigHasTheReasonAndNothingToRun(t *testing.T) {
	text := `{"process":{"args":["/bin/sh"],"cwd":"/"},"root":{"path":"/rootfs"},
		"annotations":{"run.oci.seccomp_bpf_data":"AAAA"},"linux":{"cgroupsPath":"/c",
		"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}},
		"hooks":{"prestart":[{"path":"/bin/true"}]},"mounts":[{"destination":"/proc"}]}`
	reason := errors.New("annotation port-restricter.port:\n\"abc\" is not a port")
	programs := map[string]bool{}
	for range 2 {
		refused, err := Unstartable([]byte(text), reason)
		require.NoError(t, err)
		var spec specs.Spec
		require.NoError(t, json.Unmarshal(refused, &spec))
		require.EqualValues(t, `(port-restricter refuses this container: annotation`+
			` port-restricter.port:\n"abc" is not a port)`, spec.Linux.Seccomp.DefaultAction)
		require.Empty(t, spec.Annotations)
		require.Nil(t, spec.Hooks)
		require.Len(t, spec.Process.Args, 1)
		programs[spec.Process.Args[0]] = true
		// crun looks at the profile once it has the root directory and its mounts.
		require.Equal(t, "/rootfs", spec.Root.Path)
		require.Len(t, spec.Mounts, 1)
		require.Equal(t, "/c", spec.Linux.CgroupsPath)
	}
	require.Len(t, programs, 2, "an image can know the name of the program")

	refused, err := Unstartable([]byte(`{}`), reason)
	require.NoError(t, err)
	require.Contains(t, string(refused), "refuses this container")
	_, err = Unstartable([]byte(`{`), reason)
	require.Error(t, err)
}

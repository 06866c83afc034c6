package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestCrunTakesNoFilterFromAnAnnotation shows that the annotation by which crun replaces the
// whole profile makes a container listen where the policy does not allow it, although the filter
// is in its config.json, and that the shim refuses such a container and no other.
func TestCrunTakesNoFilterFromAnAnnotation(t *testing.T) {
	const replaces = "run.oci.seccomp_bpf_data"
	agent, crun := runc.StartAgent(t), runc.Crun(t)
	of := func(runtime runc.Runtime, annotations map[string]string) runc.Config {
		return runc.Config{
			Runtime: runtime, Rootfs: runc.Rootfs(t), Seccomp: agent.Profile(t),
			Args: []string{busybox, "sh", "-c", trySocket}, Annotations: annotations,
		}
	}
	attack := map[string]string{key: "5000", replaces: allowAll}

	unchecked := runc.New(t, of(crun, attack)).Run(t)
	require.Contains(t, unchecked.Stdout, "Seccomp:\t2", unchecked.Stderr)
	require.NotContains(t, unchecked.Stderr, "bind:", "crun ignores the annotation: "+
		"the test shows nothing")

	refused := runc.New(t, of(crun.Shimmed(t, agent), attack)).Run(t)
	require.Equal(t, 125, refused.Code)
	require.Contains(t, refused.Stderr, replaces)
	require.Empty(t, refused.Stdout)

	held := runc.New(t, of(crun.Shimmed(t, agent), map[string]string{key: "5000"})).Run(t)
	require.Contains(t, held.Stderr, refusal)

	other := of(crun.Shimmed(t, agent), map[string]string{replaces: allowAll})
	other.Seccomp = nil
	require.Contains(t, runc.New(t, other).Run(t).Stdout, "Seccomp:\t2")
}

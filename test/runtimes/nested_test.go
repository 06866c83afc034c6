package runtimes

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheCommandLineInAHeldContainerSaysWhyItCantRun shows what a user reads who restricts a
// command in a container that the agent restricts already: Linux has one supervisor only.
func TestTheCommandLineInAHeldContainerSaysWhyItCantRun(t *testing.T) {
	agent, rootfs := runc.StartAgent(t), runc.Rootfs(t)
	runc.Install(t, filepath.Join(rootfs, "bin"))
	result := runc.New(t, runc.Config{
		Rootfs: rootfs, Seccomp: agent.Profile(t), Annotations: map[string]string{key: "5000"},
		Args: []string{"/bin/port-restricter", "-p", "5000", "--", busybox, "true"},
	}).Run(t)
	require.Equal(t, 125, result.Code, result.Stderr)
	require.Contains(t, result.Stderr, "an agent around this container")
	require.Contains(t, result.Stderr, "run the command without this port-restricter")
}

package operate

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// A container in audit mode runs as it likes. What it needs is learned from what the agent
// remembers, and from what it does meanwhile.
func TestLearnFromAContainerThatRuns(t *testing.T) {
	agent := runc.StartQuietAgent(t)
	c := runc.New(t, runc.Config{
		Rootfs: runc.Rootfs(t), Args: []string{busybox, "sleep", "600"},
		Seccomp: agent.Profile(t, "--metadata", "port-restricter.audit=allow"),
		Annotations: map[string]string{
			"port-restricter.port": "none", "port-restricter.mode": "audit",
		},
	})
	require.NoError(t, c.Start(t))
	require.NoError(t, listen(t, c, 5001).Start())
	refused := events(t, agent)
	learn := agent.Ask(t, "learn", "--format", "annotation", "--for", "5s",
		"--container", c.State(t).ID)
	var learned, said bytes.Buffer
	learn.Stdout, learn.Stderr = &learned, &said
	require.NoError(t, learn.Start())
	require.NoError(t, listen(t, c, 5002).Start())
	for port := uint16(0); port != 5002; {
		port = refused().Port
	}
	require.NoError(t, learn.Wait(), said.String())
	require.Contains(t, learned.String(), "port-restricter.port=5001/tcp,5002/tcp\n")

	unknown := runc.Finish(t, agent.Ask(t, "learn", "--container", "nobody"))
	require.NotZero(t, unknown.Code)
	require.Contains(t, unknown.Stderr, `none has the id, the name, the pod or the bundle "nobody"`)
}

package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheAgentsLogTellsAnExecFromItsContainer shows that the end of an exec'd process is not
// logged as the container's end, that no pid is made up (crun tells none for an exec), and that
// an agent that stops names the containers which lose their ports.
func TestTheAgentsLogTellsAnExecFromItsContainer(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		c := runc.New(t, runc.Config{
			Runtime: real, Rootfs: runc.Rootfs(t), Args: []string{busybox, "sleep", "600"},
			Seccomp: agent.Profile(t), Annotations: map[string]string{key: "5000"},
		})
		require.NoError(t, c.Start(t))
		requireRefused(t, c, 5001) // by an exec
		agent.Await(t, "detached some processes of the container")
		logged := agent.LogsOf(t, c)
		require.Contains(t, logged, "(exec)")
		require.NotContains(t, logged, `"pid":0,`)
		const ended = "detached: the container's last process ended"
		require.NotContains(t, logged, ended)

		c.Delete(t)
		agent.Await(t, ended)

		require.NoError(t, c.Start(t))
		agent.Stop(t)
		require.Regexp(t, `containers":\["`+c.State(t).ID+`"\],"count":1,"level":"warning"`,
			agent.Log(t))
	})
}

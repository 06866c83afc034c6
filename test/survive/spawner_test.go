package survive

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killSpawner kills the process that starts the helpers of an agent.
func (a agent) killSpawner() {
	a.t.Helper()
	run(a.t, "sh", "-c", fmt.Sprintf("kill -KILL $(cat /proc/%d/task/*/children)", a.pid()))
}

// A confined agent can't start another process that starts helpers. Its successor can.
func TestAnAgentWhoseSpawnerIsKilledIsSucceeded(t *testing.T) {
	a := startAgent(t)
	c := startAsker(t, 7000).isReady()
	for kills := 1; kills <= 3; kills++ {
		require.Equal(t, "works", c.bind(0))
		a.killSpawner()
		require.Equal(t, "works", c.bind(0), "by the next agent")
		require.Equal(t, "works", c.bind(7000))
		require.Equal(t, "EPERM", c.bind(7001))
		require.Equal(t, fmt.Sprint(kills), a.property("NRestarts"))
	}
	require.Contains(t, a.log(), "the next agent starts another one")

	// Also if nothing is asked for.
	before := a.pid()
	a.killSpawner()
	a.awaitNew(before)
}

// If the next agent could not serve all containers, the agent goes on, without helpers.
func TestAnAgentWhoseSpawnerIsKilledStaysForContainersThatAreNotKept(t *testing.T) {
	a := startAgent(t, "FileDescriptorStoreMax=2", "Environment=FDSTORE=2")
	kept, other := startAsker(t, 7000).isReady(), startAsker(t, 7100).isReady()
	require.Equal(t, "works", other.bind(0))
	before := a.pid()
	a.killSpawner()
	require.Eventually(t, func() bool {
		return strings.Contains(a.log(), "until the agent is restarted")
	}, patience, 10*time.Millisecond)
	for port, c := range map[int]asker{7000: kept, 7100: other} {
		require.Equal(t, "EPERM", c.bind(0))
		require.Equal(t, "works", c.bind(port))
		require.Equal(t, "EPERM", c.bind(7001))
	}
	require.Equal(t, before, a.pid())
	require.Equal(t, "0", a.property("NRestarts"))
}

package operate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/test/runc"
)

// Events has what is refused, as it happens, or what is allowed too, of one container or of all.
func TestEventsStreamWhatIsDecided(t *testing.T) {
	agent := runc.StartQuietAgent(t)
	c, other := idle(t, agent, "5000"), idle(t, agent, "5000")
	id := c.State(t).ID
	refusals := events(t, agent)
	all := events(t, agent, "--all", "--container", id)

	requireRefused(t, other, 5002)
	requireRefused(t, c, 5001)
	first, second := refusals(), refusals()
	require.EqualValues(t, 5002, first.Port)
	require.Equal(t, other.State(t).ID, first.Container)
	require.EqualValues(t, 5001, second.Port)
	require.Equal(t, id, second.Container)
	require.Equal(t, "deny", second.Decision)
	require.Equal(t, "busybox", second.Program)
	require.Equal(t, busybox, second.Exe)
	require.Zero(t, *second.UID)
	require.Contains(t, second.Reason, "port 5001/tcp at :: is not in port-restricter.port=5000")

	require.EqualValues(t, 5001, all().Port, "the other container's events are not shown")
	listener := listen(t, c, 5000)
	require.NoError(t, listener.Start())
	for _, operation := range []config.Operation{config.Bind, config.Listen} {
		event := all()
		require.Equal(t, "allow", event.Decision)
		require.Equal(t, operation, event.Operation)
	}
}

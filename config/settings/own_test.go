package settings

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Root, also that of a user namespace, never takes the socket of a user for the node's.
func TestOnlyAnOrdinaryUserHasASocketOfTheirOwn(t *testing.T) {
	require.Equal(t, "/run/user/1000/port-restricter/agent.sock",
		ownListener(1000, "/run/user/1000"))
	require.Empty(t, ownListener(0, "/run/user/1000"))
	require.Empty(t, ownListener(1000, ""))
	require.Empty(t, ownListener(1000, "run"))
}

package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestElementsBelowAPort(t *testing.T) {
	policy, err := ParsePolicy(Texts{Ports: "0,80,443/tcp,1000-1023,1000-1024,5000"})
	require.NoError(t, err)
	require.Equal(t, []string{"80", "443/tcp", "1000-1023"}, policy.Below(1024))
	require.Empty(t, policy.Below(80))
	require.Empty(t, DenyAll("").Below(1024))
}

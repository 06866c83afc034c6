package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAMissingKernelInterfaceIsNamedWithItsVersion(t *testing.T) {
	for i, p := range requirements {
		missing := append([]requirement{}, requirements...)
		missing[i].try = func() error { return unix.ENOSYS }
		require.ErrorContains(t, checkRequirements(missing), p.what+": it needs "+p.since)
	}
	require.NoError(t, checkRequirements(requirements))
}

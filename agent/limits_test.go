package agent

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The error names the container and the limit to raise: the administrator has to
// find both in the log.
func TestAContainerTooManyIsRefusedByName(t *testing.T) {
	supervisor, err := NewSupervisor(quietLog(), nil)
	require.NoError(t, err)
	defer supervisor.Close()
	before := settledFDs(t)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	supervisor.limits.fds = fd
	state := &specs.ContainerProcessState{State: specs.State{ID: "one-too-many"}}
	err = supervisor.Attach(state, fd)
	require.ErrorContains(t, err, `"one-too-many"`)
	require.ErrorContains(t, err, "raise the limit (LimitNOFILE=")
	require.Equal(t, before, openFDs(t), "the fd was not closed")
}

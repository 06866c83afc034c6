package target

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// /proc/stat is larger than the buffer on machines with many CPUs.
func TestTasksAreCountedHoweverLongTheFile(t *testing.T) {
	c, err := newTaskCount()
	require.NoError(t, err)
	defer c.stat.Close()
	before, err := c.read()
	require.NoError(t, err)
	c.buffer = make([]byte, 64)
	require.NoError(t, exec.Command("true").Run())
	after, err := c.read()
	require.NoError(t, err)
	require.Greater(t, after, before)
}

package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The kernel looks up the fds and keys in an option's value for the process that
// sets the option. If the supervisor set it, the target would get the supervisor's.
func TestOptionsWithAnFDOrAKeyAreNotSet(t *testing.T) {
	for _, option := range [][2]int{
		{unix.SOL_ALG, 7}, // ALG_SET_KEY_BY_KEY_SERIAL
		{unix.SOL_RXRPC, 1},
		{unix.SOL_PACKET, unix.PACKET_FANOUT_DATA},
		{unix.SOL_SOCKET, unix.SO_ATTACH_BPF},
		{unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF},
	} {
		a := attempt{
			asked: make([]byte, 4), call: call{level: option[0], option: option[1], narrow: true},
		}
		_, ok := a.plainValue()
		require.False(t, ok, "%v", option)
	}
}

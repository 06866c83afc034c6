package agent

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The fd in the arguments of socketcall(2) is in memory. Another thread could change
// it before the kernel reads it, so a helper makes the call.
func TestSocketcallNeverRunsNatively(t *testing.T) {
	memory := make([]byte, 64)
	for i, word := range []uint32{3, 12, 20} { // fd, address, length
		binary.NativeEndian.PutUint32(memory[4*i:], word)
	}
	target := &fakeTarget{
		memory: memory, ownsTable: true, onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM),
	}
	s, kernel := newFakeSession(t, "1", target)
	n := &notification{
		ID: 1, PID: 42, Arch: unix.AUDIT_ARCH_I386, NR: 102, Args: [6]uint64{socketcallBind, 0},
	}
	s.handle(n, &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}}, kernel.answers)
	require.Len(t, target.helperGot, 20)
}

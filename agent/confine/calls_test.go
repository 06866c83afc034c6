package confine

import (
	"testing"

	seccomp "github.com/seccomp/libseccomp-golang"
	"github.com/stretchr/testify/require"
)

// LoadFilter skips a name that libseccomp does not know, so a misspelt call would
// be refused.
func TestEveryCallOfTheListHasANumber(t *testing.T) {
	for _, r := range append(list([]int{notifyFD}), helperList()...) {
		_, err := seccomp.GetSyscallFromName(r.name)
		require.NoError(t, err, r.name)
	}
}

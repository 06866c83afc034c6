package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Beside others, a container that takes much of the agent's time gets some of it later.
func TestAContainerLeavesItsNeighboursTime(t *testing.T) {
	const ms = time.Millisecond
	for what, c := range map[string]struct {
		scan   time.Duration // of all tasks, for each call
		proves bool          // that the kernel may run the call itself
		price  time.Duration // of a call, of the agent's time
	}{
		"helpers":                    {0, false, helperPrice},
		"scans":                      {20 * ms, true, 20 * ms},
		"scans that lead to helpers": {9 * ms, false, 9*ms + helperPrice},
		"scans that hang":            {time.Second, true, paceBurst},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // time passes only while something waits for it
				sockaddr := make([]byte, 110)
				sockaddr[0], sockaddr[2] = unix.AF_UNIX, '/'
				s, kernel := newFakeSession(t, "5000", &fakeTarget{
					memory: sockaddr, onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM),
					ownsTable: c.proves, scanTakes: c.scan,
				})
				ask := func(calls int) (took time.Duration) {
					began := time.Now()
					for id := range uint64(calls) {
						s.handle(bindNotification(id+1, len(sockaddr)), new(workspace))
					}
					return time.Since(began)
				}
				require.Equal(t, 20*c.scan, ask(20), "alone")
				s.container.hasNeighbours = func() bool { return true }
				burst := int(paceBurst / c.price)
				require.Equal(t, time.Duration(burst)*c.scan, ask(burst), "at first")
				calls := 10 * int(paceLimit/c.price)
				require.InEpsilon(t, 10*time.Second, ask(calls), 0.1, "from then on")
				for _, answer := range kernel.answers {
					require.Zero(t, answer.Error)
				}
			})
		})
	}
}

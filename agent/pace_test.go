package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
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
		"scans that take very long":  {time.Second, true, paceBurst},
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

// inDebt returns a session of a container that has to wait a second for more of the agent's time,
// and asks for an AF_UNIX path.
func inDebt(t *testing.T) (s *session, fake *fakeTarget, kernel *fakeNotifier, ask *notification) {
	sockaddr := make([]byte, 110)
	sockaddr[0], sockaddr[2] = unix.AF_UNIX, '/'
	fake = &fakeTarget{memory: sockaddr, onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM)}
	s, kernel = newFakeSession(t, "5000", fake)
	s.container.hasNeighbours = func() bool { return true }
	for range 2 {
		s.container.pace.spend(paceBurst)
	}
	return s, fake, kernel, bindNotification(1, len(sockaddr))
}

// A call that waits holds a place of its container, and its thread, which a signal took out of it,
// asks again. So a call that was withdrawn does not wait any longer, and costs nothing.
func TestAWithdrawnCallDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, kernel, ask := inDebt(t)
		fake.scanTakes = time.Second
		began := time.Now()
		kernel.onValid = func() { kernel.withdrawn[1] = time.Since(began) >= 10*time.Millisecond }
		s.handle(ask, new(workspace))
		require.LessOrEqual(t, time.Since(began), 10*time.Millisecond+paceLook)
		require.Nil(t, fake.helperGot)
		time.Sleep(time.Second) // the debt is as it was
		require.Zero(t, s.container.pace.spend(0).Delay())
	})
}

// A container that is alone, or that the supervisor's end makes alone, waits no longer.
func TestACallDoesNotWaitForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, _, ask := inDebt(t)
		began := time.Now()
		s.container.hasNeighbours = func() bool { return time.Since(began) < 100*time.Millisecond }
		s.handle(ask, new(workspace))
		require.InEpsilon(t, 100*time.Millisecond, time.Since(began), 0.5)
		require.NotNil(t, fake.helperGot)
	})
}

// A successor takes a call that was written down for one that a helper may have made.
func TestACallIsWrittenDownOnlyOnceItMayHaveAHelper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fake, kernel, ask := inDebt(t)
		fake.scanTakes = paceBurst // after the debt's second, and makes another debt
		space := &workspace{slot: new(handover.Slot)}
		began, looks := time.Now(), 0
		kernel.onValid = func() {
			looks++
			_, _, _, acted := space.slot.Acted()
			require.False(t, acted && time.Since(began) < 1900*time.Millisecond)
		}
		s.handle(ask, space)
		require.Greater(t, looks, 10)
	})
}

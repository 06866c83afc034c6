package agent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
)

// A blockedTarget has helpers that hang.
type blockedTarget struct {
	*fakeTarget
	entered, leave chan struct{}
}

func (t *blockedTarget) MakeCall(target.Call, func() bool) error {
	t.entered <- struct{}{}
	<-t.leave
	return nil
}

// A container has two helpers at most, whatever it asks for, also if they hang. Its other calls
// wait, and no other container does.
func TestAContainerHasFewHelpers(t *testing.T) {
	unixSocket := socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM)
	sockaddr := make([]byte, 110)
	sockaddr[0], sockaddr[2] = unix.AF_UNIX, '/'
	fake := &blockedTarget{
		fakeTarget: &fakeTarget{memory: sockaddr, onSocket: unixSocket},
		entered:    make(chan struct{}),
		leave:      make(chan struct{}),
	}
	s, _ := newFakeSession(t, "5000", fake.fakeTarget)
	s.open = func(*target.Cache, uint32) (targetThread, error) { return fake, nil }
	answered := make(chan struct{})
	for id := range uint64(5) {
		go func() {
			n := bindNotification(id+1, len(sockaddr))
			n.PID = uint32(id + 1)
			s.handle(n, new(workspace))
			answered <- struct{}{}
		}()
	}
	<-fake.entered
	<-fake.entered
	select {
	case <-fake.entered:
		t.Fatal("a third helper of the container was asked for")
	case <-time.After(100 * time.Millisecond):
	}

	other, kernel := newFakeSession(t, "5000", &fakeTarget{memory: sockaddr, onSocket: unixSocket})
	other.handle(bindNotification(1, len(sockaddr)), new(workspace))
	require.Zero(t, kernel.answers[0].Error, "another container")

	for range 3 { // one that ends makes room for the next one
		fake.leave <- struct{}{}
		<-answered
		<-fake.entered
	}
	for range 2 {
		fake.leave <- struct{}{}
		<-answered
	}
}

// A call that waits for a place in vain is refused.
func TestACallDoesNotWaitForAPlaceForEver(t *testing.T) {
	var places helperPlaces
	for range helperLimit {
		require.True(t, places.take(0))
	}
	require.False(t, places.take(time.Millisecond))
	places.leave()
	require.True(t, places.take(0))
}

// A call is abandoned only once its whole session has ended: a container that runs on would have
// the places of its helpers back while they still hang.
func TestACallIsAbandonedOnceItsSessionHasEnded(t *testing.T) {
	s, kernel := newFakeSession(t, "5000", new(fakeTarget))
	s.workers = 1
	a := &attempt{session: s, id: 1}
	abandoned := a.callOnBehalf(nil).Abandoned
	require.False(t, abandoned())
	kernel.withdrawn[1] = true
	require.False(t, abandoned(), "its caller has ended, but others have not")
	s.hangUp()
	require.True(t, abandoned())
	kernel.withdrawn[1] = false
	require.False(t, abandoned(), "the supervisor ends, and its successor answers the caller")
}

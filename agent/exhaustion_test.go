package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/internal/rerun"
	"github.com/port-restricter/port-restricter/config"
)

// A supervisor that runs out of fds in the middle of a call refuses the call, and the log
// has the reason. The target never gets EMFILE, which would be the supervisor's errno.
// With enough fds the next call has the kernel's answer again.
func TestASupervisorWithoutFDsKeepsItsErrnoForItself(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	answers := map[int32]int{}
	enough := false
	for free := 0; !enough; free++ {
		require.Less(t, free, 64, "so many fds are not enough for one call: %v", answers)
		target, fd := startTarget(t)
		s, err := openSession(fd, handover.Record{Container: "test"}, onlyPort5000(t), quietLog())
		require.NoError(t, err)
		s.container = newContainerAlone()
		var n notification
		require.NoError(t, s.notifier.receive(&n))
		release := takeFDs(t, free)
		space := new(workspace)
		s.handle(&n, space)
		release()
		space.threads.Forget()
		answers[space.answer.Error]++
		// The target's socket is a connected AF_UNIX socket, and its sockaddr is of IPv4.
		enough = space.answer.Error == -int32(unix.EINVAL)
		if !enough {
			require.Equal(t, -int32(unix.EPERM), space.answer.Error, "with %d fds", free)
			reason := space.attempt.record.reason.String()
			require.Regexp(t, "too many open files|the helper process was killed", reason)
		}
		require.NoError(t, target.Kill())
		_, err = target.Wait()
		require.NoError(t, err)
		unix.Close(fd)
	}
	require.Greater(t, answers[-int32(unix.EPERM)], 5, "the calls did not lack fds")
}

// onlyPort5000 returns a policy that allows port 5000.
func onlyPort5000(t *testing.T) config.Policy {
	t.Helper()
	policy, err := config.ParsePolicy(config.Texts{Ports: "5000"})
	require.NoError(t, err)
	return policy
}

// takeFDs takes all fds that this process may open, except a few.
func takeFDs(t *testing.T, free int) (release func()) {
	t.Helper()
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	few := unix.Rlimit{Cur: 256, Max: before.Max}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &few))
	var taken []int
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			require.ErrorIs(t, err, unix.EMFILE)
			break
		}
		taken = append(taken, fd)
	}
	closeAll(taken[:free])
	return func() {
		closeAll(taken[free:])
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before))
	}
}

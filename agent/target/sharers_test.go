package target

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func openSharers(t *testing.T) *sharers {
	t.Helper()
	s, err := newSharers()
	require.NoError(t, err)
	t.Cleanup(s.close)
	return s
}

// listThreads takes a number of links for a number of threads.
func TestThreadsOfAProcessAreFoundHoweverMany(t *testing.T) {
	s := openSharers(t)
	s.buffer = make([]byte, 64) // of which each read fills some
	end := make(chan struct{})
	defer close(end)
	for _, more := range []int{0, 20} {
		ids := make(chan int)
		for range more {
			go func() {
				runtime.LockOSThread()
				ids <- unix.Gettid()
				<-end
			}()
		}
		var expected []int
		for range more {
			expected = append(expected, <-ids)
		}
		require.Eventually(t, func() bool { // Go may end one of its own meanwhile
			err := s.listThreads(os.Getpid())
			require.True(t, err == nil || errors.Is(err, errThreadEnded), err)
			return err == nil
		}, time.Minute, time.Millisecond)
		require.Subset(t, s.threads, append(expected, os.Getpid()))
	}
	alone := exec.Command("sleep", "1000")
	require.NoError(t, alone.Start())
	t.Cleanup(func() { _ = alone.Process.Kill(); _ = alone.Wait() })
	require.NoError(t, s.listThreads(alone.Process.Pid))
	require.Equal(t, []int{alone.Process.Pid}, s.threads)
	require.ErrorIs(t, s.listThreads(-1), unix.ENOENT)
}

// Threads that end ahead of where a list has got to shift the others: one that
// is there all the time can be left out.
func TestAListOfThreadsIsWholeOrNone(t *testing.T) {
	s := openSharers(t)
	s.buffer = make([]byte, 64) // two threads a read
	ids := make(chan int)
	start := func() chan struct{} {
		end := make(chan struct{})
		go func() {
			runtime.LockOSThread() // and never unlock: the thread ends with us
			ids <- unix.Gettid()
			<-end
		}()
		return end
	}
	whole, ended := 0, 0
	for range 20 {
		var ends []chan struct{}
		for range 200 {
			ends = append(ends, start())
			<-ids
		}
		stay := start()
		last, done := <-ids, make(chan struct{})
		go func() {
			defer close(done)
			for _, end := range ends {
				close(end)
				runtime.Gosched()
			}
		}()
		for going := true; going; {
			select {
			case <-done:
				going = false
			default:
			}
			if err := s.listThreads(os.Getpid()); err == nil {
				whole++
				require.Contains(t, s.threads, last)
			} else {
				ended++
				require.ErrorIs(t, err, errThreadEnded)
			}
		}
		close(stay)
		require.Eventually(t, func() bool { // no other test is to see them end
			return errors.Is(unix.Tgkill(os.Getpid(), last, 0), unix.ESRCH) && s.listThreads(os.Getpid()) == nil && len(s.threads) < len(ends)
		}, time.Minute, time.Millisecond)
	}
	require.Positive(t, whole)
	require.Positive(t, ended)
}

func TestSharersAreFoundWhereverTheyAre(t *testing.T) {
	s := openSharers(t)
	sleeper := func(flags uintptr) int {
		// Sharers that exec have a table of their own: so this one doesn't.
		pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 {
			for {
				_, _, _ = syscall.RawSyscall(unix.SYS_PAUSE, 0, 0, 0)
			}
		}
		require.Zero(t, errno)
		t.Cleanup(func() {
			require.NoError(t, unix.Kill(int(pid), unix.SIGKILL))
			_, _ = unix.Wait4(int(pid), nil, 0, nil)
		})
		return int(pid)
	}
	shares := func(tid int) bool {
		shared, err := s.any(tid)
		for errors.Is(err, errThreadEnded) { // of whatever process
			shared, err = s.any(tid)
		}
		require.NoError(t, err)
		return shared
	}
	require.False(t, shares(sleeper(0)))
	require.True(t, shares(sleeper(unix.CLONE_FILES)), "with a process of another group: us")
	require.True(t, shares(os.Getpid()), "within the group")
}

func TestTasksAreCountedHoweverLongTheFile(t *testing.T) {
	s := openSharers(t)
	before, err := s.tasksCreated()
	require.NoError(t, err)
	s.buffer = make([]byte, 64)
	require.NoError(t, exec.Command("true").Run())
	after, err := s.tasksCreated()
	require.NoError(t, err)
	require.Greater(t, after, before)
}

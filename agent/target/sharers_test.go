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

// listThreads derives the number of threads from the link count of a directory.
func TestThreadsOfAProcessAreFoundHoweverMany(t *testing.T) {
	s := openSharers(t)
	s.buffer = make([]byte, 64) // so small that a listing takes several reads
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
		require.Eventually(t, func() bool { // Go may end a thread during the listing
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

// The kernel continues a listing by position. If a thread ends before that position,
// the listing can skip a thread that exists all the time. listThreads must notice.
func TestAListOfThreadsIsWholeOrNone(t *testing.T) {
	s := openSharers(t)
	s.buffer = make([]byte, 64) // two threads in each read
	ids := make(chan int)
	start := func() chan struct{} {
		end := make(chan struct{})
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
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
		// The threads must have ended before another test starts.
		require.Eventually(t, func() bool {
			return errors.Is(unix.Tgkill(os.Getpid(), last, 0), unix.ESRCH) &&
				s.listThreads(os.Getpid()) == nil && len(s.threads) < len(ends)
		}, time.Minute, time.Millisecond)
	}
	require.Positive(t, whole)
	require.Positive(t, ended)
}

func TestSharersAreFoundWhereverTheyAre(t *testing.T) {
	s := openSharers(t)
	sleeper := func(flags uintptr) int {
		// No exec: a task that executes a program leaves a shared file table.
		pid, _, errno := syscall.RawSyscall6(
			unix.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
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
		shared, err := s.any(&scan{tid: tid})
		for errors.Is(err, errThreadEnded) { // a thread of any process on the machine
			shared, err = s.any(&scan{tid: tid})
		}
		require.NoError(t, err)
		return shared
	}
	require.False(t, shares(sleeper(0)))
	require.True(t, shares(sleeper(unix.CLONE_FILES)), "a sharer in another process: this one")
	require.True(t, shares(os.Getpid()), "a sharer in the same thread group")
}

package target

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

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

func ids(entries []entry) (all []int) {
	for _, e := range entries {
		all = append(all, e.id)
	}
	return all
}

// listThreads derives the number of threads from the link count of a directory.
func TestThreadsOfAProcessAreFoundHoweverMany(t *testing.T) {
	s := openSharers(t)
	s.buffer = make([]byte, 64) // so small that a listing takes several reads
	end := make(chan struct{})
	defer close(end)
	for _, more := range []int{0, 20} {
		started := make(chan int)
		for range more {
			go func() {
				runtime.LockOSThread()
				started <- unix.Gettid()
				<-end
			}()
		}
		var expected []int
		for range more {
			expected = append(expected, <-started)
		}
		require.Eventually(t, func() bool { // Go may end a thread during the listing
			err := s.listThreads(os.Getpid())
			require.True(t, err == nil || errors.Is(err, errUncertain), err)
			return err == nil
		}, time.Minute, time.Millisecond)
		require.Subset(t, ids(s.threads), append(expected, os.Getpid()))
	}
	alone := exec.Command("sleep", "1000")
	require.NoError(t, alone.Start())
	t.Cleanup(func() { _ = alone.Process.Kill(); _ = alone.Wait() })
	require.NoError(t, s.listThreads(alone.Process.Pid))
	require.Equal(t, []int{alone.Process.Pid}, ids(s.threads))
	require.ErrorIs(t, s.listThreads(-1), unix.ENOENT)
}

// The kernel continues a listing by position. If a thread ends before that position,
// the listing can skip a thread that exists all the time. listThreads must notice.
func TestAListOfThreadsIsWholeOrNone(t *testing.T) {
	s := openSharers(t)
	s.buffer = make([]byte, 64) // two threads in each read
	started := make(chan int)
	start := func() chan struct{} {
		end := make(chan struct{})
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			started <- unix.Gettid()
			<-end
		}()
		return end
	}
	whole, ended := 0, 0
	for range 20 {
		var ends []chan struct{}
		for range 200 {
			ends = append(ends, start())
			<-started
		}
		stay := start()
		last, done := <-started, make(chan struct{})
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
				require.Contains(t, ids(s.threads), last)
			} else {
				ended++
				require.ErrorIs(t, err, errUncertain)
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
	finds := func(tid int) bool {
		clear(s.cleared)
		return s.findsSharerOf(t, tid)
	}
	require.False(t, finds(startSleeper(t, 0, 0)))
	require.True(t, finds(startSleeper(t, unix.CLONE_FILES, 0)), "another process: this one")
	require.True(t, finds(os.Getpid()), "in the same thread group")
}

// A process that was cleared has ended, and a sharer has its id.
func TestSharersAreFoundUnderTheIDOfAClearedProcess(t *testing.T) {
	for _, identifies := range []bool{listingIdentifies(), false} {
		t.Run(fmt.Sprintf("the listing identifies: %t", identifies), func(t *testing.T) {
			s := openSharers(t)
			s.listingIdentifies = identifies
			sleeper, other := startSleeper(t, unix.CLONE_FILES, 0), startSleeper(t, 0, 0)
			s.cleared[os.Getpid()] = inodeOf(t, os.Getpid()) // it shares with the sleeper, too
			require.False(t, s.findsSharerOf(t, sleeper))
			require.Equal(t, inodeOf(t, other), s.cleared[other])

			endSleeper(t, other)
			require.Equal(t, other, startSleeper(t, unix.CLONE_FILES, other))
			require.True(t, s.findsSharerOf(t, sleeper))
			s.cleared[other] = inodeOf(t, other)
			require.False(t, s.findsSharerOf(t, sleeper))
		})
	}
}

func inodeOf(t *testing.T, pid int) uint64 {
	t.Helper()
	var directory unix.Stat_t
	require.NoError(t, unix.Stat(fmt.Sprintf("/proc/%d", pid), &directory))
	return directory.Ino
}

// findsSharerOf scans until the result is certain. What was cleared before remains so.
func (s *sharers) findsSharerOf(t *testing.T, tid int) bool {
	t.Helper()
	for {
		_, err := s.scan(&scan{tid: tid}, clearAfter)
		if !errors.Is(err, errUncertain) {
			require.True(t, err == nil || errors.Is(err, errShared), err)
			return err != nil
		}
	}
}

// startSleeper creates a process that sleeps, with flags of clone(2), and this id unless it is 0.
// It executes nothing: a task that does leaves a shared file table.
func startSleeper(t *testing.T, flags uint64, id int) (pid int) {
	t.Helper()
	ids := [1]int32{int32(id)}
	arguments := [10]uint64{0: flags, 4: uint64(unix.SIGCHLD)} // struct clone_args
	if id != 0 {
		arguments[8], arguments[9] = uint64(uintptr(unsafe.Pointer(&ids))), 1
	}
	child, _, errno := syscall.RawSyscall(
		unix.SYS_CLONE3, uintptr(unsafe.Pointer(&arguments)), unsafe.Sizeof(arguments), 0)
	if child == 0 {
		for {
			_, _, _ = syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
	require.Zero(t, errno)
	t.Cleanup(func() {
		_ = unix.Kill(int(child), unix.SIGKILL)
		_, _ = unix.Wait4(int(child), nil, 0, nil)
	})
	return int(child)
}

func endSleeper(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	_, err := unix.Wait4(pid, nil, 0, nil)
	require.NoError(t, err)
}

// Only what was inspected for this thread, and holds no task that can create a sharer, is cleared.
func TestOnlyAProcessThatCanGetNoSharerIsCleared(t *testing.T) {
	s := openSharers(t)
	leftOver := entry{math.MaxInt32, 2} // inspected for another thread
	s.inspected = append(s.inspected, leftOver)
	sleeper, other := startSleeper(t, 0, 0), startSleeper(t, 0, 0)
	require.False(t, s.findsSharerOf(t, sleeper))
	require.Contains(t, s.cleared, other)
	require.NotContains(t, s.cleared, leftOver.id)
	require.NotContains(t, s.cleared, sleeper, "it can create a thread in a signal handler")
}

func TestAScanForAThreadThatHasEndedProvesNothing(t *testing.T) {
	s := openSharers(t)
	sleeper := startSleeper(t, 0, 0)
	endSleeper(t, sleeper)
	_, err := s.scan(&scan{tid: sleeper}, clearAfter)
	require.ErrorIs(t, err, errUncertain)
	require.Zero(t, s.none(&scan{tid: sleeper}))
}

// While tasks are created nothing is certain, and nothing is cleared.
func TestNothingIsClearedWhileTasksAreCreated(t *testing.T) {
	s := openSharers(t)
	sleeper, count := startSleeper(t, 0, 0), 0
	for _, after := range []time.Duration{0, scanLimit} {
		s.created = func() (int, error) { count++; return count, nil }
		_, err := s.scan(&scan{tid: sleeper}, after)
		require.ErrorIs(t, err, errUncertain)
		require.Empty(t, s.cleared)
	}
	// One is created in the middle of the scan.
	looks := 0
	s.created = func() (int, error) { looks++; return min(looks, 5), nil }
	_, err := s.scan(&scan{tid: sleeper}, 0)
	require.ErrorIs(t, err, errUncertain)
	require.NotEmpty(t, s.cleared)
	require.Less(t, len(s.cleared), len(s.processes))
}

// A scan that was taken to hang, and is only slow, does not go on beside the next one.
func TestAnAbandonedScanEnds(t *testing.T) {
	s := openSharers(t)
	of := &scan{tid: startSleeper(t, 0, 0)}
	of.abandoned.Store(true)
	_, err := s.scan(of, clearAfter)
	require.ErrorIs(t, err, errAbandoned)
	require.Zero(t, s.none(of))
}

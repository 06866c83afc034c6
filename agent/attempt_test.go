package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/internal/rerun"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// The target dies, and before the supervisor inspects it, another process gets the
// id of its thread. That process has a socket with the same fd number and the same
// sockaddr at the same address. The supervisor must not bind that socket.
func TestTheSocketOfAReusedThreadIDIsNotBound(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWNET) {
		return
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	require.NoError(t, unix.Mount("proc", "/proc", "proc", 0, ""))
	// Since Linux 6.14 each pid namespace has its own pid_max. The kernel assigns the
	// ids below 300 only once.
	require.NoError(t, os.WriteFile("/proc/sys/kernel/pid_max", []byte("340"), 0))
	for lastID(t) < 300 {
		require.NoError(t, exec.Command("/bin/true").Run())
	}

	for _, test := range []struct {
		name    string
		believe bool
		port    int
	}{
		{"bound if every notification is taken for valid", true, 5000},
		{"not bound if the kernel is asked", false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy, err := config.ParsePolicy(config.Texts{Ports: "5000"})
			require.NoError(t, err)
			var s *session
			var n notification
			var space *workspace
			socket := -1
			for socket < 0 { // again if a thread of this process took the id and keeps it
				target, fd := startTarget(t)
				s, err = openSession(fd, handover.Record{Container: "test"}, policy, logrus.New())
				require.NoError(t, err)
				// Again if a signal interrupted the target's bind, which then notifies again.
				require.Eventually(t, func() bool {
					return s.notifier.receive(&n) == nil
				}, time.Minute, time.Millisecond)
				space = new(workspace)
				_, err = space.threads.Open(n.PID)
				require.NoError(t, err)
				const pidfdThread = unix.O_EXCL
				before, err := unix.PidfdOpen(int(n.PID), pidfdThread)
				require.NoError(t, err)
				t.Cleanup(func() { unix.Close(before) })
				require.NoError(t, target.Kill())
				_, err = target.Wait()
				require.NoError(t, err)
				socket = startVictim(t, int(n.PID))
				_, err = unix.PidfdGetfd(before, socketFD, 0)
				require.ErrorIs(t, err, unix.ESRCH, "a kept pidfd refers to the id's next thread")
			}
			if test.believe {
				s.notifier = credulous{s.notifier}
			}
			s.handle(&n, space)
			at, err := localAddress(socket)
			require.NoError(t, err)
			require.EqualValues(t, test.port, at.Port(),
				"the answer was %d, the record %+v", space.answer.Error, space.attempt.record)
		})
	}
}

// A credulous notifier takes every notification for valid.
type credulous struct{ notifier }

func (credulous) valid(uint64) bool { return true }

// startVictim starts processes until a victim gets the id, and returns the victim's
// socket. It returns -1 if no victim gets the id.
func startVictim(t *testing.T, id int) (socket int) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(socket) })
	for range 500 {
		dup, err := unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 0)
		require.NoError(t, err)
		file, command := os.NewFile(uintptr(dup), "socket"), exec.Command("/bin/true")
		if lastID(t) == id-1 {
			command = role("victim", file)
		}
		require.NoError(t, command.Start())
		require.NoError(t, file.Close())
		if command.ExtraFiles != nil && command.Process.Pid == id {
			t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
			require.Eventually(t, func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
				return err == nil && strings.Contains(string(stat), ") T ")
			}, time.Minute, time.Millisecond)
			return socket
		}
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	return -1
}

// lastID returns the id that the kernel assigned last in this pid namespace.
func lastID(t *testing.T) int {
	text, err := os.ReadFile("/proc/sys/kernel/ns_last_pid")
	require.NoError(t, err)
	id, err := strconv.Atoi(string(text[:len(text)-1]))
	require.NoError(t, err)
	return id
}

func TestAnInvisibleTargetIsRefused(t *testing.T) {
	s, kernel := newFakeSession(t, "0", nil)
	s.open = func(*target.Cache, uint32) (targetThread, error) {
		return nil, errors.New("not visible")
	}
	space := &workspace{neutral: true}
	s.handle(bindNotification(1, 16), space)
	require.Equal(t, []response{{ID: 1, Error: -int32(unix.EPERM)}}, kernel.answers)
	require.EqualValues(t, "call", space.attempt.record.operation)
	require.Equal(t, "deny", space.attempt.record.decision)

	kernel.withdrawn[2] = true
	s.handle(bindNotification(2, 16), space)
	require.Empty(t, space.attempt.record.decision, "a target that has ended was refused nothing")
}

// A bind with several faults gets the errno that bind(2) finds first: that of the
// fd, then that of the length, then that of the memory.
func TestErrorsComeInTheKernelsOrder(t *testing.T) {
	notASocket := func() (int, error) {
		return unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	closed := func() (int, error) { return -1, unix.EBADF }
	for _, c := range []struct {
		name   string
		socket func() (int, error)
		length int
		want   unix.Errno
	}{
		{"closed fd before bad memory", closed, 100, unix.EBADF},
		{"not a socket before bad length", notASocket, 4096, unix.ENOTSOCK},
		{"length before memory", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), 129, unix.EINVAL},
		{"negative length", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), -1, unix.EINVAL},
		{"memory", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), 128, unix.EFAULT},
		{"short", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), 15, unix.EINVAL},
		{"short for IPv6", socketOf(t, unix.AF_INET6, unix.SOCK_STREAM), 16, unix.EINVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := &fakeTarget{memory: ipv4(unix.AF_INET, 0), onSocket: c.socket}
			s, kernel := newFakeSession(t, "0", fake)
			s.handle(bindNotification(1, c.length), &workspace{neutral: true})
			require.Equal(t, []response{{ID: 1, Error: -int32(c.want)}}, kernel.answers)
		})
	}
}

// From the moment at which a notification is withdrawn, the thread's id may belong to
// another thread.
func TestNothingIsBoundForAThreadThatIsGone(t *testing.T) {
	socket := socketOf(t, unix.AF_INET, unix.SOCK_STREAM)
	target := &fakeTarget{memory: ipv4(unix.AF_INET, 0), onSocket: socket}
	s, kernel := newFakeSession(t, "0", target)
	target.onRead = func() { kernel.withdrawn[1] = true }
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	fd, err := socket()
	require.NoError(t, err)
	defer unix.Close(fd)
	at, err := localAddress(fd)
	require.NoError(t, err)
	require.Zero(t, at.Port())
}

// The kernel may run a call that is not about an internet port only if no other task
// can put an internet socket in the place of the target's fd. Otherwise a helper
// makes the call.
func TestOtherFamiliesRunNativelyOnlyWhenNobodyCanSwapTheSocket(t *testing.T) {
	path := make([]byte, 20)
	copy(path[2:], "/some/where")
	for _, alone := range []bool{true, false} {
		target := &fakeTarget{
			memory: path, ownsTable: alone,
			onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM),
		}
		s, kernel := newFakeSession(t, "1", target)
		s.handle(bindNotification(1, 20), &workspace{neutral: true})
		require.Equal(t, alone, kernel.answers[0].Flags == respondContinue)
		require.Equal(t, !alone, target.helperGot != nil)
	}
}

// The errno because of which a helper could not make the call is not the target's
// answer.
func TestACallThatTheHelperCannotMakeIsRefused(t *testing.T) {
	target := &fakeTarget{
		memory: make([]byte, 20), onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM),
		helperErr: errors.Join(target.ErrNotMade, unix.ESRCH),
	}
	s, kernel := newFakeSession(t, "1", target)
	s.handle(bindNotification(1, 20), &workspace{neutral: true})
	require.Equal(t, -int32(unix.EPERM), kernel.answers[0].Error)
}

// The agent never ends for one container's sake.
func TestAFaultRefusesOneCall(t *testing.T) {
	fake := &fakeTarget{
		memory: ipv4(unix.AF_INET, 0), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM),
		onRead: func() { panic("a fault") },
	}
	s, kernel := newFakeSession(t, "0", fake)
	space := &workspace{neutral: true}
	s.handle(bindNotification(1, 16), space)
	require.Contains(t, space.attempt.record.reason.String(), "a fault of port-restricter")
	fake.onRead = nil
	s.handle(bindNotification(2, 16), space)
	require.Equal(t, []response{{ID: 1, Error: -int32(unix.EPERM)}, {ID: 2}}, kernel.answers)
}

package agent

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
	"github.com/port-restricter/port-restricter/config"
)

// roleVariable makes the test binary one of the processes below.
const roleVariable = "PORT_RESTRICTER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "target":
		fmt.Fprintln(os.Stderr, bindUnderAFilter())
		os.Exit(1)
	case "victim":
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP) // it has the same sockaddr and a socket of its own
		time.Sleep(time.Hour)                    // the signal may come later
	}
	os.Exit(m.Run())
}

// wantedSockaddr is at the same address in every process of this binary: port
// 5000 on any IPv4 address.
var wantedSockaddr = [16]byte{0: unix.AF_INET, 2: 5000 >> 8, 3: 5000 & 0xff}

// socketFD is the first of exec.Cmd's ExtraFiles.
const socketFD = 3

// The thread that is to be answered dies, and before we look at it another
// process of the same numbers has its id: its own socket must not be bound.
func TestTheSocketOfAReusedThreadIDIsNotBound(t *testing.T) {
	if !rerun.InProcess(t, unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWNET) {
		return
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	require.NoError(t, unix.Mount("proc", "/proc", "proc", 0, ""))
	// Linux 6.14 has one for each pid namespace. The ids below 300 are given once.
	require.NoError(t, os.WriteFile("/proc/sys/kernel/pid_max", []byte("340"), 0))
	for lastID(t) < 300 {
		require.NoError(t, exec.Command("/bin/true").Run())
	}

	for _, test := range []struct {
		name    string
		believe bool
		port    int
	}{
		{"with every id taken for valid it would be", true, 5000},
		{"asked whether it is", false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy, err := config.ParsePolicy("5000", "", "")
			require.NoError(t, err)
			var s *session
			var n notification
			var space *workspace
			socket := -1
			for socket < 0 { // now and then a thread of ours takes the id, and keeps it
				target, fd := startTarget(t)
				s, err = newSession(fd, "test", policy, logrus.New())
				require.NoError(t, err)
				// Where a signal called the target away it asks once more.
				require.Eventually(t, func() bool { return s.notifier.receive(&n) == nil }, time.Minute, time.Millisecond)
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
				require.ErrorIs(t, err, unix.ESRCH, "a kept pidfd means no other thread")
			}
			if test.believe {
				s.notifier = credulous{s.notifier}
			}
			s.handle(&n, space)
			at, err := localAddress(socket)
			require.NoError(t, err)
			require.EqualValues(t, test.port, at.Port(), "answered %d, %+v", space.answer.Error, space.attempt.record)
		})
	}
}

// credulous takes every notification for one that waits.
type credulous struct{ notifier }

func (credulous) valid(uint64) bool { return true }

func role(name string, file *os.File) *exec.Cmd {
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), roleVariable+"="+name, "GODEBUG=asyncpreemptoff=1") // a signal has a target ask once more
	command.ExtraFiles = []*os.File{file}
	command.Stderr = os.Stderr
	return command
}

// startTarget returns a process whose bind waits for an answer, and its notify fd.
func startTarget(t *testing.T) (*os.Process, int) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	theirs := os.NewFile(uintptr(pair[1]), "pair")
	command := role("target", theirs)
	require.NoError(t, command.Start())
	theirs.Close()
	file := os.NewFile(uintptr(pair[0]), "pair")
	defer file.Close()
	conn, err := net.FileConn(file)
	require.NoError(t, err)
	defer conn.Close()
	_, fd, err := Receive(conn.(*net.UnixConn))
	require.NoError(t, err)
	return command.Process, fd
}

// startVictim has processes come and go until one gets the id; -1 if none does.
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

func lastID(t *testing.T) int {
	text, err := os.ReadFile("/proc/sys/kernel/ns_last_pid")
	require.NoError(t, err)
	id, err := strconv.Atoi(string(text[:len(text)-1]))
	require.NoError(t, err)
	return id
}

// bindUnderAFilter is the target: it sends the notify fd of a filter of its own,
// and binds by an fd that the kernel never gets to look up.
func bindUnderAFilter() error {
	fd, err := loadBindFilter()
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(socketFD, []byte(`{"fds":["seccompFd"]}`), unix.UnixRights(fd), nil, 0); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, socketFD, uintptr(unsafe.Pointer(&wantedSockaddr)), uintptr(len(wantedSockaddr)))
	return errno
}

// loadBindFilter has every bind of this thread from now on wait for an answer,
// by the notify fd.
func loadBindFilter() (notifyFD int, err error) {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_BIND},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

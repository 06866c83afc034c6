package agent

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// roleVariable is the environment variable that makes the test binary one of the
// processes in TestMain.
const roleVariable = "PORT_RESTRICTER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "target":
		fmt.Fprintln(os.Stderr, bindUnderAFilter())
		os.Exit(1)
	case "victim":
		// It has a sockaddr at the same address as the target, and a socket of its own.
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
		time.Sleep(time.Hour) // the signal may come later
	case "holder":
		_, err := lockFile(os.Getenv("LOCK"))
		fmt.Println("holds", err)
		time.Sleep(time.Hour)
	case "listener":
		_, err := Listen(os.Getenv("LOCK"), quietLog())
		if err == nil {
			fmt.Println("listening")
			time.Sleep(time.Hour)
		}
		fmt.Println(err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// wantedSockaddr is at the same address in every process of this binary: port
// 5000 on any IPv4 address.
var wantedSockaddr = [16]byte{0: unix.AF_INET, 2: 5000 >> 8, 3: 5000 & 0xff}

// socketFD is the number that the first of exec.Cmd's ExtraFiles gets in the child.
const socketFD = 3

// role returns a command that runs the test binary in a role, with file as socketFD.
func role(name string, file *os.File) *exec.Cmd {
	command := exec.Command("/proc/self/exe")
	// A signal by which Go preempts a thread would interrupt the target's bind, and the
	// target would notify again.
	command.Env = append(os.Environ(), roleVariable+"="+name, "GODEBUG=asyncpreemptoff=1")
	command.ExtraFiles = []*os.File{file}
	command.Stderr = os.Stderr
	return command
}

// startTarget returns a process whose bind waits for an answer, and its notify fd.
func startTarget(t *testing.T) (*os.Process, int) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	targetEnd := os.NewFile(uintptr(pair[1]), "pair")
	command := role("target", targetEnd)
	require.NoError(t, command.Start())
	t.Cleanup(func() { // it has its own notify fd, too, and would wait for ever
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	targetEnd.Close()
	testEnd := os.NewFile(uintptr(pair[0]), "pair")
	defer testEnd.Close()
	conn, err := net.FileConn(testEnd)
	require.NoError(t, err)
	defer conn.Close()
	_, fd, err := Receive(conn.(*net.UnixConn))
	require.NoError(t, err)
	return command.Process, fd
}

// bindUnderAFilter is what the process of role target does. It loads a filter, sends
// the notify fd, and then calls bind. The supervisor answers, so the kernel never
// looks at the fd of that call.
func bindUnderAFilter() error {
	fd, err := loadBindFilter()
	if err != nil {
		return err
	}
	message := []byte(`{"fds":["seccompFd"]}`)
	if err := unix.Sendmsg(socketFD, message, unix.UnixRights(fd), nil, 0); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, socketFD,
		uintptr(unsafe.Pointer(&wantedSockaddr)), uintptr(len(wantedSockaddr)))
	return errno
}

// loadBindFilter puts this thread under a filter that makes each bind wait for an
// answer, and returns the notify fd.
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
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func quietLog() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// settledFDs counts the fds that this process has open, once the earlier tests have
// closed theirs: their workers end, and files that they dropped are collected, late.
func settledFDs(t *testing.T) (n int) {
	t.Helper()
	const quietRounds = 10
	for quiet := 0; quiet < quietRounds; time.Sleep(10 * time.Millisecond) {
		runtime.GC()
		if now := openFDs(t); now != n {
			n, quiet = now, 0
		} else {
			quiet++
		}
	}
	return n
}

// openFDs counts the fds that this process has open. It leaves out those in /proc,
// which a scanner of an earlier test keeps for a while.
func openFDs(t *testing.T) int {
	t.Helper()
	return countFDs(t, func(link string) bool { return !strings.HasPrefix(link, "/proc") })
}

// countFDs counts the open fds of this process. counts reports whether an fd with
// this link in /proc/self/fd counts.
func countFDs(t *testing.T, counts func(link string) bool) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		if link, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && counts(link) {
			n++
		}
	}
	return n
}

// pipes returns n fds to pass on. They are closed when the test ends.
func pipes(t *testing.T, n int) (fds []int) {
	t.Helper()
	for range n {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		w.Close()
		t.Cleanup(func() { r.Close() })
		fds = append(fds, int(r.Fd()))
	}
	return fds
}

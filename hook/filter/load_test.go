package filter

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unsafe"

	runc "github.com/opencontainers/runc/libcontainer/seccomp"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
	seccomp "github.com/seccomp/libseccomp-golang"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// loadVariable is an environment variable. If it is set, the test binary is the child of a
// test: it loads the filter with the loader of that name, and binds.
const loadVariable = "HOOK_TEST_LOAD"

func TestMain(m *testing.M) {
	if hidden := os.Getenv(compileVariable); hidden != "" {
		if err := compileWithout(hidden); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if how := os.Getenv(loadVariable); how != "" {
		if err := bindUnderFilter(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killable makes a target wait for its answer in a state that only a fatal signal ends.
var killable = Options{
	Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
}

// loaders load the filter in different ways. Each returns the notify fd.
var loaders = map[string]func() (int, error){
	"without flags": func() (int, error) { return load(Profile(Options{})) },
	"killable":      func() (int, error) { return load(Profile(killable)) },
	"by runc":       loadByRunc,
	"merged into podman's default": func() (int, error) {
		podman, err := ReadProfile("testdata/podman-default.json")
		if err != nil {
			return -1, err
		}
		merged, err := Merge(podman, Options{})
		if err != nil {
			return -1, err
		}
		return load(merged)
	},
}

func load(p *specs.LinuxSeccomp) (int, error) {
	filter, err := Compile(p)
	if err != nil {
		return -1, err
	}
	flags := unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | filter.Flags
	fd, errno := setModeFilter(flags, filter.Instructions)
	if errno != 0 {
		return -1, errno
	}
	return fd, nil
}

func setModeFilter(flags uint, instructions []unix.SockFilter) (int, unix.Errno) {
	program := &unix.SockFprog{Len: uint16(len(instructions)), Filter: &instructions[0]}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		uintptr(flags), uintptr(unsafe.Pointer(program)))
	return int(fd), errno
}

// loadByRunc does what runc does with the filter's profile in a config.json.
func loadByRunc() (int, error) {
	config, err := specconv.SetupSeccomp(Profile(Options{}))
	if err != nil {
		return -1, err
	}
	return runc.InitSeccomp(config)
}

// answer is an errno that the kernel never returns for a bind.
const answer = unix.ECHRNG

// A child process loads the filter, and binds and listens on every type of internet
// socket. Each call must be answered by this process. Then this process closes the notify
// fd, as if the supervisor had been killed: even then the child gets no listener of its
// own.
func TestALoadedFilterNotifiesOfEveryInternetBind(t *testing.T) {
	for how := range loaders {
		t.Run(how, func(t *testing.T) {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			parentEnd, childEnd := pair[0], os.NewFile(uintptr(pair[1]), "child's end")
			defer unix.Close(parentEnd)
			child := exec.Command("/proc/self/exe")
			child.Env = append(os.Environ(), loadVariable+"="+how)
			child.ExtraFiles = []*os.File{childEnd}
			child.Stderr = os.Stderr
			require.NoError(t, child.Start())
			childEnd.Close()
			if fd := receiveFD(t, parentEnd); fd >= 0 {
				kind, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
				require.NoError(t, err)
				require.Equal(t, "anon_inode:seccomp notify", kind)
				answered := answerAll(t, seccomp.ScmpFd(fd), parentEnd, child.Process.Pid,
					how == "killable")
				require.Positive(t, answered)
				require.NoError(t, unix.Close(fd))
				_, err = unix.Write(parentEnd, []byte{0})
				require.NoError(t, err)
			}
			require.NoError(t, child.Wait())
		})
	}
}

// receiveFD returns the fd that the child sends, or -1 if the child ended before that.
func receiveFD(t *testing.T, socket int) int {
	control := make([]byte, unix.CmsgSpace(4))
	n, length, _, _, err := unix.Recvmsg(socket, make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	require.NoError(t, err)
	if n == 0 {
		return -1
	}
	messages, err := unix.ParseSocketControlMessage(control[:length])
	require.NoError(t, err)
	fds, err := unix.ParseUnixRights(&messages[0])
	require.NoError(t, err)
	return fds[0]
}

// answerAll answers notifications until the child has made all its calls, or has ended. It
// returns the number of answers. If killable is true it also sends a signal to each target,
// which must go on waiting.
func answerAll(
	t *testing.T, fd seccomp.ScmpFd, socket, child int, killable bool,
) (answered int) {
	for {
		events := []unix.PollFd{
			{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(socket), Events: unix.POLLIN},
		}
		if _, err := unix.Poll(events, -1); err == unix.EINTR {
			continue
		}
		if events[0].Revents&unix.POLLIN == 0 {
			return answered
		}
		request, err := seccomp.NotifReceive(fd)
		if err == unix.ENOENT { // a signal ended the wait; Go's runtime sends signals, too
			continue
		}
		require.NoError(t, err)
		calls := []seccomp.ScmpSyscall{unix.SYS_BIND, unix.SYS_LISTEN}
		require.Contains(t, calls, request.Data.Syscall)
		if killable {
			// After a signal the thread goes on waiting, in state D, proc_pid_stat(5).
			// SIGURG does not end a program in Go.
			require.NoError(t, unix.Tgkill(child, int(request.Pid), unix.SIGURG))
			require.Eventually(t, func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", child, request.Pid))
				require.NoError(t, err)
				return strings.Contains(string(stat), ") D ")
			}, 10*time.Second, 100*time.Microsecond)
		}
		response := &seccomp.ScmpNotifResp{ID: request.ID, Error: int32(answer)}
		err = seccomp.NotifRespond(fd, response)
		if errors.Is(err, unix.ENOENT) {
			continue // a signal withdrew the notification: the child asks again
		}
		require.NoError(t, err)
		answered++
	}
}

// bindUnderFilter is what the child does. It fails unless every call ends as the filter
// says.
func bindUnderFilter(how string) error {
	if err := enterNetwork(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fd, err := loaders[how]()
	if err != nil {
		return err
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		return fmt.Errorf("the notify fd is not close-on-exec: %v", err)
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
		return err
	}
	if err := unix.Close(fd); err != nil {
		return err
	}
	if err := eachInternetSocket(notifiedOrRefused); err != nil {
		return err
	}
	// Wait until the parent has closed the notify fd.
	if _, err := unix.Write(3, []byte{0}); err != nil {
		return err
	}
	if _, err := unix.Read(3, make([]byte, 1)); err != nil {
		return err
	}
	return ownListenerIsRefused()
}

// ownListenerIsRefused fails unless the kernel refuses a filter with a listener, and
// accepts one without. The kernel would ask the listener of the newer filter, which could
// let every bind through.
func ownListenerIsRefused() error {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
	fd, errno := setModeFilter(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, program)
	if errno != unix.EBUSY {
		return fmt.Errorf("load a filter with a listener: fd %d, %v instead of EBUSY", fd, errno)
	}
	if _, errno := setModeFilter(0, program); errno != 0 {
		return fmt.Errorf("load a filter without a listener: %v", errno)
	}
	return nil
}

// notifiedOrRefused fails unless long binds and every listen get the answer of the parent,
// and everything else that could bind a port is refused.
func notifiedOrRefused(s socketType, socket int) error {
	for _, length := range []int{16, 28, 110, 128} {
		if errno := bindRaw(socket, uint16(s.family), length); errno != answer {
			return fmt.Errorf("%s: bind of %d bytes was not notified: %v", s.name, length, errno)
		}
	}
	if err := unix.Listen(socket, 1); err != answer {
		return fmt.Errorf("%s: listen was not notified: %v", s.name, err)
	}
	for _, length := range []int{0, 12, 15} {
		if errno := bindRaw(socket, uint16(s.family), length); errno != unix.EINVAL {
			return fmt.Errorf("%s: bind of %d bytes: %v instead of EINVAL", s.name, length, errno)
		}
	}
	for _, option := range bindingOptions {
		err := unix.SetsockoptUint64(socket, int(option.level), int(option.name), 0)
		if err != unix.EPERM {
			return fmt.Errorf("%s: socket option %v: %v instead of EPERM", s.name, option, err)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); errno != unix.ENOSYS {
		return fmt.Errorf("io_uring_setup: %v instead of ENOSYS", errno)
	}
	return nil
}

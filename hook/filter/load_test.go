package filter

import (
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

// loadVariable names, in a re-executed test binary, how to load the filter.
const loadVariable = "HOOK_TEST_LOAD"

func TestMain(m *testing.M) {
	if how := os.Getenv(loadVariable); how != "" {
		if err := bindUnderFilter(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var waitsKillable = Options{Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}}

var loaders = map[string]func() (int, error){
	"without flags": func() (int, error) { return load(Profile(Options{})) },
	"killable":      func() (int, error) { return load(Profile(waitsKillable)) },
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
	fd, errno := setModeFilter(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|filter.Flags, filter.Instructions)
	if errno != 0 {
		return -1, errno
	}
	return fd, nil
}

func setModeFilter(flags uint, instructions []unix.SockFilter) (int, unix.Errno) {
	program := &unix.SockFprog{Len: uint16(len(instructions)), Filter: &instructions[0]}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(program)))
	return int(fd), errno
}

// loadByRunc is what runc does with our profile in a container's config.
func loadByRunc() (int, error) {
	config, err := specconv.SetupSeccomp(Profile(Options{}))
	if err != nil {
		return -1, err
	}
	return runc.InitSeccomp(config)
}

// answer is an errno that no bind gives by itself.
const answer = unix.ECHRNG

func TestALoadedFilterNotifiesOfEveryInternetBind(t *testing.T) {
	for how := range loaders {
		t.Run(how, func(t *testing.T) {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			ours, theirs := pair[0], os.NewFile(uintptr(pair[1]), "child's end")
			defer unix.Close(ours)
			child := exec.Command("/proc/self/exe")
			child.Env = append(os.Environ(), loadVariable+"="+how)
			child.ExtraFiles = []*os.File{theirs}
			child.Stderr = os.Stderr
			require.NoError(t, child.Start())
			theirs.Close()
			if fd := receiveFD(t, ours); fd >= 0 {
				kind, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
				require.NoError(t, err)
				require.Equal(t, "anon_inode:seccomp notify", kind)
				require.Positive(t, answerAll(t, seccomp.ScmpFd(fd), ours, child.Process.Pid, strings.Contains(how, "illable")))
				require.NoError(t, unix.Close(fd))
				_, err = unix.Write(ours, []byte{0})
				require.NoError(t, err)
			}
			require.NoError(t, child.Wait())
		})
	}
}

// receiveFD returns -1 when the child ended before it sent one.
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

// answerAll answers until the child says that it has asked for everything, or has ended.
func answerAll(t *testing.T, fd seccomp.ScmpFd, socket, child int, killable bool) (answered int) {
	for {
		events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(socket), Events: unix.POLLIN}}
		if _, err := unix.Poll(events, -1); err == unix.EINTR {
			continue
		}
		if events[0].Revents&unix.POLLIN == 0 {
			return answered
		}
		request, err := seccomp.NotifReceive(fd)
		if err == unix.ENOENT { // a signal came first: Go's runtime sends them, too
			continue
		}
		require.NoError(t, err)
		require.Contains(t, []seccomp.ScmpSyscall{unix.SYS_BIND, unix.SYS_LISTEN}, request.Data.Syscall)
		if killable { // a signal makes the thread sleep on, in state D, proc_pid_stat(5)
			require.NoError(t, unix.Tgkill(child, int(request.Pid), unix.SIGURG)) // which Go takes
			require.Eventually(t, func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", child, request.Pid))
				require.NoError(t, err)
				return strings.Contains(string(stat), ") D ")
			}, 10*time.Second, 100*time.Microsecond)
		}
		require.NoError(t, seccomp.NotifRespond(fd, &seccomp.ScmpNotifResp{ID: request.ID, Error: int32(answer)}))
		answered++
	}
}

// bindUnderFilter is the child.
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
	// Let the supervisor go away, as if it had been killed.
	if _, err := unix.Write(3, []byte{0}); err != nil {
		return err
	}
	if _, err := unix.Read(3, make([]byte, 1)); err != nil {
		return err
	}
	return ownListenerIsRefused()
}

// ownListenerIsRefused: a filter that notifies of bind would be asked before
// ours, and its listener could let each bind through.
func ownListenerIsRefused() error {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
	fd, errno := setModeFilter(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, program)
	if errno != unix.EBUSY {
		return fmt.Errorf("a listener of the target's own: fd %d, %v", fd, errno)
	}
	if _, errno := setModeFilter(0, program); errno != 0 {
		return fmt.Errorf("a filter of the target's own: %v", errno)
	}
	return nil
}

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
			return fmt.Errorf("%s: bind of %d bytes: %v", s.name, length, errno)
		}
	}
	for _, option := range bindingOptions {
		if err := unix.SetsockoptUint64(socket, int(option.level), int(option.name), 0); err != unix.EPERM {
			return fmt.Errorf("%s: socket option %v: %v", s.name, option, err)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); errno != unix.ENOSYS {
		return fmt.Errorf("io_uring_setup: %v", errno)
	}
	return nil
}

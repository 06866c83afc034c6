package bench

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/landlock-lsm/go-landlock/landlock"
	seccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent"
)

// roleVariable is the environment variable that turns the test binary into one of the
// programs below. The program runs the command in its arguments.
const roleVariable = "PORT_RESTRICTER_BENCH_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func([]string) error{
		"landlock":         underLandlock,
		"libseccomp":       underLoop,
		"libseccomp-child": loadAndExec,
	}
	role := roles[os.Getenv(roleVariable)]
	if role == nil {
		os.Exit(m.Run())
	}
	err := role(os.Args[1:])
	if exit, ok := err.(*exec.ExitError); ok {
		os.Exit(exit.ExitCode())
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// underLandlock executes a command under a Landlock rule that allows only port 5000.
func underLandlock(args []string) error {
	if err := landlock.V4.RestrictNet(landlock.BindTCP(5000)); err != nil {
		return err
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// underLoop runs a command under a plain supervisor, as other agents in Go have it: it
// uses libseccomp's calls, reads the address from /proc/PID/mem, and lets the kernel
// run the calls that are allowed.
func underLoop(args []string) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	command := exec.Command("/proc/self/exe", args...)
	command.Env = append(os.Environ(), roleVariable+"=libseccomp-child")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.ExtraFiles = []*os.File{os.NewFile(uintptr(pair[1]), "pair")}
	if err := command.Start(); err != nil {
		return err
	}
	conn, err := net.FileConn(os.NewFile(uintptr(pair[0]), "pair"))
	if err != nil {
		return err
	}
	_, fd, err := agent.Receive(conn.(*net.UnixConn))
	if err != nil {
		return err
	}
	go func() {
		for {
			if err := answerOne(seccomp.ScmpFd(fd)); err != nil {
				return
			}
		}
	}()
	return command.Wait()
}

// answerOne receives one notification and answers it.
func answerOne(fd seccomp.ScmpFd) error {
	request, err := seccomp.NotifReceive(fd)
	if err != nil {
		return err
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", request.Pid))
	if err != nil {
		return err
	}
	defer memory.Close()
	var address [16]byte
	if _, err := memory.ReadAt(address[:], int64(request.Data.Args[1])); err != nil {
		return err
	}
	if err := seccomp.NotifIDValid(fd, request.ID); err != nil {
		return err
	}
	answer := &seccomp.ScmpNotifResp{ID: request.ID, Flags: seccomp.NotifRespFlagContinue}
	family, port := binary.NativeEndian.Uint16(address[:]), binary.BigEndian.Uint16(address[2:])
	if family == unix.AF_INET && port != 5000 {
		answer.Flags, answer.Error = 0, -int32(unix.EPERM)
	}
	return seccomp.NotifRespond(fd, answer)
}

// loadAndExec loads a filter that notifies of bind, sends the notify fd over fd 3, and
// executes a command.
func loadAndExec(args []string) error {
	runtime.LockOSThread()
	filter, err := seccomp.NewFilter(seccomp.ActAllow)
	if err != nil {
		return err
	}
	bind, err := seccomp.GetSyscallFromName("bind")
	if err != nil {
		return err
	}
	if err := filter.AddRule(bind, seccomp.ActNotify); err != nil {
		return err
	}
	if err := filter.Load(); err != nil {
		return err
	}
	fd, err := filter.GetNotifFd()
	if err != nil {
		return err
	}
	state := []byte(`{"fds":["seccompFd"],"state":{"id":"bench"}}`)
	if err := unix.Sendmsg(3, state, unix.UnixRights(int(fd)), nil, 0); err != nil {
		return err
	}
	unix.CloseOnExec(int(fd))
	unix.CloseOnExec(3)
	return syscall.Exec(args[0], args, os.Environ())
}

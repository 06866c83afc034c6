package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestEachSignalSentToTheSupervisorReachesTheCommandOnce(t *testing.T) {
	signals := []int{1, 2, 3, 10, 12, 14, 18, 20, 21, 22, 26, 28, 29, 30, 35, 40, 64}
	probe := []string{self(t), "probe", "now"}
	for _, sig := range signals {
		probe = append(probe, strconv.Itoa(sig))
	}
	cmd := supervised("", probe...)
	// At a terminal, SIGCONT would be left to the shell.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s := startSession(t, cmd)
	s.until("ready " + strconv.Itoa(s.cmd.Process.Pid) + "\n")
	for _, sig := range signals {
		s.kill(syscall.Signal(sig))
		require.Empty(t, s.until(fmt.Sprintf("signal %d\n", sig)))
	}
	s.kill(syscall.SIGTERM)
	rest, status := s.rest()
	require.Equal(t, "signal 15\n", rest)
	require.Zero(t, status)
}

func TestForwardedSignalWithoutHandlerEndsTheCommand(t *testing.T) {
	for _, sig := range []int{1, 2, 3, 10, 14, 15, 34} {
		s := startSession(t, supervised("", "sh", "-c", "echo ready; exec sleep 1000"))
		s.until("ready")
		s.kill(syscall.Signal(sig))
		_, status := s.rest()
		require.Equal(t, 128+sig, status)
	}
}

func TestIgnoredSignalIsNotForwarded(t *testing.T) {
	s := startSession(t, exec.Command("bash", "-c", `trap '' HUP USR1; exec "$@"`, "sh",
		self(t), "supervise", "", self(t), "probe", "now", "1", "10"))
	s.until("ready")
	s.kill(syscall.SIGHUP)
	s.kill(syscall.SIGUSR1)
	s.kill(syscall.SIGTERM)
	rest, _ := s.rest()
	require.NotContains(t, rest, "signal 1\n")
	require.NotContains(t, rest, "signal 10\n")
}

func TestSignalSentByTheCommandIsNotSentBack(t *testing.T) {
	s := startSession(t, supervised("", "sh", "-c", `
		trap "echo back" USR1
		trap "echo end; exit" USR2
		kill -USR1 $PPID
		echo ready
		while :; do sleep 0.01; done`))
	s.until("ready\n")
	s.kill(syscall.SIGUSR2)
	rest, _ := s.rest()
	require.Equal(t, "end\n", rest)
}

func TestQueuedValueReachesTheCommandAlsoWhereTheSignalWasBlocked(t *testing.T) {
	s := startSession(t, exec.Command("env", "--block-signal=40",
		self(t), "supervise", "", self(t), "queued", "40"))
	s.until("ready <nil>\n")
	info := struct {
		signo, errno, code, _ int32
		pid, uid              int32
		value                 uint64
		_                     [96]byte
	}{signo: 40, code: siQueue, value: 77}
	_, _, errno := unix.Syscall(unix.SYS_RT_SIGQUEUEINFO,
		uintptr(s.cmd.Process.Pid), 40, uintptr(unsafe.Pointer(&info)))
	require.Zero(t, errno)
	rest, _ := s.rest()
	require.Equal(t, "value 77 <nil>\n", rest)
}

// An alarm(2) survives execve(2). perl -e 'alarm 5; exec …' is a common way to limit the
// time of a command.
func TestAlarmSetBeforeTheSupervisorStartsReachesTheCommand(t *testing.T) {
	cmd := exec.Command("perl", "-e", "use Time::HiRes 'ualarm'; ualarm 500_000; exec @ARGV",
		self(t), "supervise", "", "sleep", "1000")
	_ = cmd.Run()
	require.Equal(t, 128+int(unix.SIGALRM), cmd.ProcessState.ExitCode())
}

func TestSupervisorStaysForADaemonAndForwardsToIt(t *testing.T) {
	s := startSession(t, supervised("", "sh", "-c",
		`setsid "$0" probe adopted 10 <&0 & read started; exit 3`, self(t)))
	s.until("waiting\n")
	s.write("\n")
	s.until("ready " + strconv.Itoa(s.cmd.Process.Pid) + "\n")
	s.kill(syscall.SIGUSR1)
	require.Empty(t, s.until("signal 10\n"))
	s.kill(syscall.SIGTERM)
	rest, status := s.rest()
	require.Equal(t, "signal 15\n", rest)
	require.Equal(t, 3, status)
}

func TestSupervisorDoesNotWaitForChildrenOfTheScriptThatExecsIt(t *testing.T) {
	s := startSession(t, exec.Command("sh", "-c", `
		sleep 1000 >/dev/null &
		echo $!
		exec "$0" supervise "" sh -c 'exit 4'`, self(t)))
	pid, err := strconv.Atoi(s.until("\n"))
	require.NoError(t, err)
	_, status := s.rest()
	require.Equal(t, 4, status)
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
}

func TestContinueReachesTheGroupThatTheCommandMadeForItself(t *testing.T) {
	s := startSession(t, supervised("", "perl", "-e", `
		$| = 1;
		setpgrp;
		if (!fork) { kill STOP, $$; print "resumed"; exit }
		waitpid -1, 2; # WUNTRACED
		print "ready";
		wait;
		exit 7`))
	s.until("ready")
	s.kill(syscall.SIGCONT)
	s.until("resumed")
	_, status := s.rest()
	require.Equal(t, 7, status)
}

func TestStoppedCommandDoesNotStopTheSupervisorWithoutATerminal(t *testing.T) {
	cmd := supervised("", "sh", "-c", `"$0" probe now 10 & kill -STOP $$; wait`, self(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s := startSession(t, cmd)
	s.until("ready")
	// A stopped supervisor would not forward SIGCONT to the command.
	s.kill(syscall.SIGCONT)
	require.NoError(t, unix.Kill(-s.cmd.Process.Pid, unix.SIGCONT))
	require.NoError(t, unix.Kill(-s.cmd.Process.Pid, unix.SIGTERM))
	_, status := s.rest()
	require.Equal(t, 143, status)
}

// systemd sends SIGTERM to the main process only with KillMode=mixed and KillMode=process,
// and looks after the other processes once that has ended.
func TestSupervisorThatIsToldToEndEndsWithTheCommand(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGQUIT} {
		cmd := supervised("", "sh", "-c", `
			trap 'exit 3' TERM INT QUIT
			setsid sleep 1000 >/dev/null &
			echo left $!
			while :; do sleep 0.01; done`)
		// At a terminal, SIGINT and SIGQUIT would be left to the shell.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		s := startSession(t, cmd)
		left := s.left()
		s.kill(sig)
		_, status := s.rest()
		require.Equal(t, 3, status)
		require.NoError(t, unix.Kill(left, unix.SIGKILL))
	}
}

// A signal of the command itself does not tell the supervisor to end.
func TestSupervisorStaysForADaemonAfterASignalOfTheCommand(t *testing.T) {
	s := startSession(t, supervised("", "sh", "-c", `
		trap 'exit 3' USR2
		setsid "$0" probe adopted 10 <&0 & read started
		kill -TERM $PPID
		echo sent
		while :; do sleep 0.01; done`, self(t)))
	s.until("waiting\n")
	s.write("\n")
	s.until("sent\n")
	s.kill(syscall.SIGUSR2) // comes after the SIGTERM
	s.until("ready " + strconv.Itoa(s.cmd.Process.Pid) + "\n")
	s.kill(syscall.SIGUSR1)
	require.Empty(t, s.until("signal 10\n"))
	s.kill(syscall.SIGTERM)
	rest, status := s.rest()
	require.Equal(t, "signal 15\n", rest)
	require.Equal(t, 3, status)
}

// systemd makes a difference between a service that SIGTERM ended and one with status 143.
func TestAServiceEndsByTheSignalThatEndsTheCommand(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGSEGV} {
		cmd := supervised("", "sh", "-c", fmt.Sprintf("kill -%d $$", sig))
		manager := fmt.Sprintf("MANAGERPID=%d", os.Getpid())
		cmd.Env = append(os.Environ(), manager, "INVOCATION_ID=1")
		_ = cmd.Run()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, status.Signaled(), "status %d", status.ExitStatus())
		require.Equal(t, sig, status.Signal())
		require.False(t, status.CoreDump())

		cmd = supervised("", "sh", "-c", fmt.Sprintf("kill -%d $$", sig))
		cmd.Env = append(os.Environ(), "INVOCATION_ID=1") // of the service that runs the tests
		_ = cmd.Run()
		require.Equal(t, 128+int(sig), cmd.ProcessState.ExitCode())
	}
}

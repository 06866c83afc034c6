package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	ctrlC         = "\x03"
	ctrlZ         = "\x1a"
	ctrlBackslash = "\x1c"
)

// openTerminal makes a pty, pts(4), which cmd gets as its standard input and its
// controlling terminal. It returns the end that a terminal emulator has.
func openTerminal(t *testing.T, cmd *exec.Cmd) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	pts, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = pts.Close() })
	cmd.Stdin = pts
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return os.NewFile(uintptr(fd), "pty")
}

// startShell starts an interactive shell, which does job control, at a terminal of its own.
// There, $US is the supervisor, and $BIN probe is a program to supervise.
func startShell(t *testing.T) *session {
	t.Helper()
	cmd := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	terminal := openTerminal(t, cmd)
	cmd.Stdout, cmd.Stderr = cmd.Stdin.(*os.File), cmd.Stdin.(*os.File)
	// A new environment: with an inherited PROMPT_COMMAND, for example, bash would print more.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "PS1=> ", "HISTFILE=",
		"BIN=" + self(t), "US=" + self(t) + " supervise well",
	}
	s := newSession(t, cmd, terminal, terminal)
	s.until("> ")
	s.write("set -b\n") // reports a stopped job immediately, not before the next prompt
	s.until("> ")
	return s
}

func TestTerminalSignalReachesTheCommandOnce(t *testing.T) {
	s := startShell(t)
	s.write("$US $BIN probe now 1 2 3 10 28; echo \"status\" $?\n")
	parent := strings.TrimSpace(s.until("\r\nready ")) // the echoed command
	require.Contains(t, parent, "probe")
	supervisor, err := strconv.Atoi(strings.TrimSpace(s.until("\n")))
	require.NoError(t, err)
	for key, sig := range map[string]int{ctrlC: 2, ctrlBackslash: 3} {
		s.write(key)
		s.until(fmt.Sprintf("signal %d\r\n", sig))
		// A second signal would come before this one.
		require.NoError(t, unix.Kill(supervisor, unix.SIGUSR1))
		require.NotContains(t, s.until("signal 10\r\n"), "signal") // the echoed ^C may be there
	}
	terminal, size := int(s.in.(*os.File).Fd()), unix.Winsize{Row: 9, Col: 9}
	require.NoError(t, unix.IoctlSetWinsize(terminal, unix.TIOCSWINSZ, &size))
	s.until("signal 28\r\n")
	require.NoError(t, unix.Kill(supervisor, unix.SIGTERM))
	require.Empty(t, s.until("signal 15\r\n"))
	s.until("status 0\r\n")
}

func TestSuspendedJobGoesOnInTheForeground(t *testing.T) {
	s := startShell(t)
	s.write("$US $BIN probe now; echo \"status\" $?\n")
	s.until("\r\nready ")
	for range 3 {
		s.write(ctrlZ)
		s.until("Stopped")
		s.until("> ")
		s.write("fg\n")
		s.write("line\n")
		s.until("got line\r\n")
	}
	s.write(ctrlC)
	s.until("> ")
	s.write("echo status $?\n")
	s.until("status 130\r\n")
}

func TestBackgroundJobThatReadsTheTerminalIsStopped(t *testing.T) {
	s := startShell(t)
	s.write("$US $BIN probe now &\n")
	s.until("Stopped")
	s.write("fg\n")
	s.write("line\n")
	s.until("got line\r\n")
}

func TestCommandThatStopsItselfOrItsGroupStopsTheJob(t *testing.T) {
	for _, stop := range []string{"kill -STOP $$", "kill -TSTP 0"} {
		s := startShell(t)
		s.write("$US sh -c '" + stop + "; echo \"resumed\" now'; echo \"status\" $?\n")
		s.until("Stopped")
		s.write("fg; echo \"status\" $?\n")
		s.until("resumed now\r\n")
		s.until("status 0\r\n")
	}
}

// A shell continues the whole job, but a user may continue one process of it.
func TestSupervisorContinuedAloneContinuesTheCommand(t *testing.T) {
	s := startShell(t)
	s.write("$US $BIN probe now 10 </dev/null\n")
	s.until("\r\nready ")
	supervisor, err := strconv.Atoi(strings.TrimSpace(s.until("\n")))
	require.NoError(t, err)
	s.write(ctrlZ)
	s.until("Stopped")
	require.NoError(t, unix.Kill(supervisor, unix.SIGCONT))
	require.NoError(t, unix.Kill(supervisor, unix.SIGUSR1))
	s.until("signal 10\r\n")
	require.NoError(t, unix.Kill(supervisor, unix.SIGTERM))
	s.until("signal 15\r\n")
}

// When a terminal goes away, the kernel sends SIGHUP to the leader of its session alone.
func TestHangupOfASessionLeaderReachesTheCommand(t *testing.T) {
	cmd := supervised("", self(t), "probe", "now", "1")
	terminal := openTerminal(t, cmd)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	s := newSession(t, cmd, terminal, out)
	s.until("ready")
	s.until("\n")
	require.NoError(t, terminal.Close())
	require.Empty(t, s.until("signal 1\n"))
	s.kill(syscall.SIGTERM)
	rest, status := s.rest()
	require.Equal(t, "signal 15\n", rest)
	require.Zero(t, status)
}

// ^C must end the job in the foreground also when all that is left of the command is a
// daemon in a session of its own, which gets no signal from the terminal.
func TestInterruptReachesADaemonThatKeepsTheTerminalWaiting(t *testing.T) {
	s := startShell(t)
	s.write("$US sh -c 'setsid $BIN probe adopted 2 & read started; exit 3'; echo \"status\" $?\n")
	s.until("\r\nwaiting")
	s.write("\n")
	s.until("\r\nready ")
	supervisor, err := strconv.Atoi(strings.TrimSpace(s.until("\n")))
	require.NoError(t, err)
	s.write(ctrlC)
	s.until("signal 2\r\n")
	require.NoError(t, unix.Kill(supervisor, unix.SIGTERM))
	s.until("signal 15\r\n")
}

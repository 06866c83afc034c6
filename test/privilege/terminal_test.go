package privilege

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheCommandCanTypeIntoTheTerminalOfItsCaller shows what docs/security.md says under
// "What can't be closed": a command in the session of the caller's terminal puts a line
// into the terminal's input, and the caller's shell, which is under no policy, reads it.
// setsid(1) takes the terminal from the command.
func TestTheCommandCanTypeIntoTheTerminalOfItsCaller(t *testing.T) {
	dir := directory(t)
	program := compile(t, dir, "terminal")
	commandLine := runc.Install(t, dir)

	bare := inAShell(t, program)
	require.Equal(t, bare, inAShell(t, commandLine, "-p", "5000", "--", program))
	refused := "TIOCSTI: EPERM\nthe shell read: \n"
	switch text, err := os.ReadFile("/proc/sys/dev/tty/legacy_tiocsti"); {
	case err != nil || string(text) == "1\n": // before Linux 6.2 there is no such sysctl
		require.Equal(t, "the shell read: forged\n", bare)
	default:
		refused = "TIOCSTI: EIO\nthe shell read: \n"
		require.Equal(t, refused, bare)
	}
	require.Equal(t, refused,
		inAShell(t, "setsid", "--wait", commandLine, "-p", "5000", "--", program))
}

// inAShell runs a command of an ordinary user in a shell at a terminal of the shell's own.
// Then the shell reads a line from the terminal. It returns what both print.
func inAShell(t *testing.T, command ...string) string {
	t.Helper()
	pty, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(pty)
	require.NoError(t, unix.IoctlSetPointerInt(pty, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(pty, unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile(
		"/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer terminal.Close()
	const script = `"$@"; read -r -t 1 line; echo "the shell read: $line"`
	shell := exec.Command("bash", append([]string{"-c", script, "bash"}, command...)...)
	shell.Stdin = terminal
	shell.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Setctty: true,
		Credential: &syscall.Credential{Uid: 54321, Gid: 54321},
	}
	out, err := shell.Output()
	require.NoError(t, err)
	return string(out)
}

package supervise

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A manager receives notifications like systemd.
type manager struct {
	t *testing.T
	*net.UnixConn
}

func newManager(t *testing.T, name string) manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}))
	require.NoError(t, err)
	return manager{t, conn}
}

// next returns the next message, the number of fds that came with it, and its sender.
func (m manager) next() (text string, fds, sender int) {
	m.t.Helper()
	require.NoError(m.t, m.SetReadDeadline(time.Now().Add(patience)))
	data, control := make([]byte, 4096), make([]byte, 4096)
	length, controlLength, _, _, err := m.ReadMsgUnix(data, control)
	require.NoError(m.t, err)
	sender, received := senderAndFDs(control[:controlLength])
	for _, fd := range received {
		unix.Close(fd)
	}
	return string(data[:length]), len(received), sender
}

// none fails the test if a message has come.
func (m manager) none() {
	m.t.Helper()
	require.NoError(m.t, m.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	data := make([]byte, 4096)
	length, _, err := m.ReadFrom(data)
	require.ErrorIs(m.t, err, os.ErrDeadlineExceeded, "%q", data[:length])
}

// notifying returns a supervisor whose command is a Perl script that has a function
// notify, which sends a message, with a number of fds.
func notifying(t *testing.T, manager, script string) *exec.Cmd {
	const prelude = `
		use Socket;
		$| = 1;
		socket(S, AF_UNIX, SOCK_DGRAM, 0) or die $!;
		sub notify {
			my ($text, $fds) = @_;
			my $name = pack("Sa*", AF_UNIX, $ENV{NOTIFY_SOCKET} =~ s/^@/\0/r);
			my $data = pack("PQ", $text, length $text);
			my $rights = $fds ? pack("Qiii*", 16 + 4 * $fds, 1, 1, (0) x $fds) : "";
			my $message = pack("PLx4PQPQi", $name, length $name, $data, 1,
				$rights, length $rights, 0);
			syscall(46, fileno(S), $message, 0) >= 0 or die "sendmsg: $!";
		}
	`
	cmd := supervised("", "perl", "-e", prelude+script)
	cmd.Path = self(t)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+manager)
	return cmd
}

func TestNotificationsComeFromTheSupervisor(t *testing.T) {
	for name, address := range map[string]string{
		"a path":           filepath.Join(t.TempDir(), "notify"),
		"an abstract name": fmt.Sprintf("@notify-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, address)
			s := startSession(t, notifying(t, address, `
				notify "READY=1";
				<STDIN>;
				if (!fork) { notify "STATUS=a child"; <STDIN>; exit }
				wait;
				notify "FDSTORE=1", 3;
				notify "BARRIER=1", 1;
				notify "STOPPING=1\nSTATUS=the last words";`))
			text, fds, sender := m.next()
			require.Equal(t, "READY=1", text)
			require.Zero(t, fds)
			require.Equal(t, s.cmd.Process.Pid, sender)
			s.write("\n")
			text, _, sender = m.next()
			require.Equal(t, "STATUS=a child", text)
			require.Equal(t, s.cmd.Process.Pid, sender)
			s.write("\n")
			text, fds, _ = m.next()
			require.Equal(t, "FDSTORE=1", text)
			require.Equal(t, 3, fds)
			text, fds, _ = m.next()
			require.Equal(t, "BARRIER=1", text)
			require.Equal(t, 1, fds)
			_, status := s.rest()
			require.Zero(t, status)
			text, _, sender = m.next() // was sent before the supervisor ended
			require.Equal(t, "STOPPING=1\nSTATUS=the last words", text)
			require.Equal(t, s.cmd.Process.Pid, sender)
			m.none()
		})
	}
}

func TestTheSupervisorStaysTheMainProcess(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	m := newManager(t, address)
	s := startSession(t, notifying(t, address, `
		notify "MAINPID=$$";
		notify "READY=1\nMAINPID=$$\nSTATUS=MAINPID=1 is text\nMAINPIDFDID=5";`))
	_, status := s.rest()
	require.Zero(t, status)
	text, _, _ := m.next()
	require.Equal(t, "READY=1\nSTATUS=MAINPID=1 is text", text)
	m.none()
}

// An abstract name is open to every process of the network namespace.
func TestNotificationsOfOthersAreDropped(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	m := newManager(t, address)
	s := startSession(t, notifying(t, address, `
		print "$ENV{NOTIFY_SOCKET}\n";
		<STDIN>;
		notify "READY=1";`))
	to := &net.UnixAddr{Net: "unixgram", Name: strings.TrimSpace(s.until("\n"))}
	require.NotEqual(t, address, to.Name)
	conn, err := net.DialUnix("unixgram", nil, to)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("STATUS=forged"))
	require.NoError(t, err)
	s.write("\n")
	text, _, _ := m.next()
	require.Equal(t, "READY=1", text)
	_, status := s.rest()
	require.Zero(t, status)
	m.none()
}

func TestANotifySocketThatIsNoSocketNameStaysAsItIs(t *testing.T) {
	for _, value := range []string{"", "vsock:2:1234", "relative/path"} {
		cmd := supervised("", "sh", "-c", `echo "$NOTIFY_SOCKET"`)
		cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+value)
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, value+"\n", string(out))
	}
}

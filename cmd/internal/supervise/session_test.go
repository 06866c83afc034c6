package supervise

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A session is a program with which a test exchanges text, over pipes or a terminal.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    chan string
	unread string
}

// startSession starts cmd with pipes.
func startSession(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	return newSession(t, cmd, in, out)
}

// newSession starts cmd. When the test ends, cmd is killed, and so are its descendants,
// including those of a supervisor that is killed.
func newSession(t *testing.T, cmd *exec.Cmd, in io.WriteCloser, out io.Reader) *session {
	t.Helper()
	s := &session{t: t, cmd: cmd, in: in, out: make(chan string, 100)}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		endChildren(anyChild)
	})
	go func() {
		defer close(s.out)
		for buffer := make([]byte, 4096); ; {
			n, err := out.Read(buffer)
			if n > 0 {
				s.out <- string(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return s
}

// patience is how long a test waits for output.
const patience = 20 * time.Second

// until returns the output up to the mark. It fails the test if the mark does not come.
func (s *session) until(mark string) string {
	s.t.Helper()
	for deadline := time.After(patience); ; {
		if before, after, found := strings.Cut(s.unread, mark); found {
			s.unread = after
			return before
		}
		select {
		case more, open := <-s.out:
			require.True(s.t, open, "the output ended without %q: %q", mark, s.unread)
			s.unread += more
		case <-deadline:
			require.Fail(s.t, "no "+mark, "output: %q", s.unread)
		}
	}
}

func (s *session) write(text string) {
	s.t.Helper()
	_, err := io.WriteString(s.in, text)
	require.NoError(s.t, err)
}

func (s *session) kill(sig syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(sig))
}

// left returns the pid that a script prints as "left PID", of a process that is to outlive
// the supervisor.
func (s *session) left() int {
	s.t.Helper()
	s.until("left ")
	pid, err := strconv.Atoi(s.until("\n"))
	require.NoError(s.t, err)
	return pid
}

// rest returns the output until the end, and the exit status. It fails the test if the
// output does not end.
func (s *session) rest() (string, int) {
	s.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case more, open := <-s.out:
			if !open {
				_ = s.cmd.Wait()
				return s.unread, s.cmd.ProcessState.ExitCode()
			}
			s.unread += more
		case <-deadline:
			require.Fail(s.t, "the output does not end", "output: %q", s.unread)
		}
	}
}

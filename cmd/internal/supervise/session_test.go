package supervise

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// session is a program that we talk with, over pipes or a terminal.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    chan string
	unread string
}

func startSession(t *testing.T, cmd *exec.Cmd) *session {
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	return newSession(t, cmd, in, out)
}

func newSession(t *testing.T, cmd *exec.Cmd, in io.WriteCloser, out io.Reader) *session {
	s := &session{t: t, cmd: cmd, in: in, out: make(chan string, 100)}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
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

// until returns the output up to the mark, which has to come.
func (s *session) until(mark string) string {
	s.t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		if before, after, found := strings.Cut(s.unread, mark); found {
			s.unread = after
			return before
		}
		select {
		case more, open := <-s.out:
			require.True(s.t, open, "output ended without %q: %q", mark, s.unread)
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

// rest returns what was printed until the end, and the status.
func (s *session) rest() (string, int) {
	for more := range s.out {
		s.unread += more
	}
	_ = s.cmd.Wait()
	return s.unread, s.cmd.ProcessState.ExitCode()
}

package survive

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// An asker is a container that binds when it is told to.
type asker struct {
	t       testing.TB
	command *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader
}

// startAsker starts a container that may bind a port, and begins to wait for its start.
func startAsker(t *testing.T, port int) asker {
	t.Helper()
	return startAskerBy(t, newContainer(t, port, "/ask").RunCommand())
}

// startAskerBy starts a container by a command.
func startAskerBy(t testing.TB, command *exec.Cmd) asker {
	t.Helper()
	a := asker{t: t, command: command}
	var err error
	a.in, err = a.command.StdinPipe()
	require.NoError(t, err)
	out, err := a.command.StdoutPipe()
	require.NoError(t, err)
	a.answers = bufio.NewReader(out)
	require.NoError(t, a.command.Start())
	t.Cleanup(func() { a.in.Close(); _ = a.command.Wait() })
	return a
}

// isReady waits until the container runs.
func (a asker) isReady() asker {
	a.t.Helper()
	require.Equal(a.t, "ready", a.line())
	return a
}

// bind returns what bind(2) to a port, or a path, came to: works, or an errno.
func (a asker) bind(to any) string {
	a.t.Helper()
	_, err := fmt.Fprintln(a.in, to)
	require.NoError(a.t, err)
	return a.line()
}

func (a asker) line() string {
	a.t.Helper()
	line, err := a.answers.ReadString('\n')
	require.NoError(a.t, err)
	return line[:len(line)-1]
}

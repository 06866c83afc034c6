package survive

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A crowd is many containers, each of them one process of testdata/crowd.c.
type crowd struct {
	t      testing.TB
	in     io.WriteCloser
	out    *bufio.Reader
	attach time.Duration // how long all of them took to attach
}

// A tally is what the crowd has counted. Lost binds are those with ENOSYS, and those without
// an answer.
type tally struct {
	asked, wrong, lost int
	p50, p99, longest  time.Duration
}

// agentSocket is the socket of the system's units.
const agentSocket = "/run/port-restricter/agent.sock"

// startCrowd attaches n containers, which may bind port and the next ports. Together they
// will bind rate times a second. They end with the function that it returns.
func startCrowd(t testing.TB, program string, n, port, rate int) (c crowd, end func()) {
	t.Helper()
	command := exec.Command(program, agentSocket,
		fmt.Sprint(n), fmt.Sprint(port), fmt.Sprint(rate))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	c = crowd{t: t, in: in, out: bufio.NewReader(out)}
	_, err = fmt.Fscanln(c.out, &c.attach)
	require.NoError(t, err)
	return c, func() {
		in.Close()
		_ = command.Wait() // it kills itself with its process group
	}
}

// during returns what came of the binds that the crowd asked for while do ran.
func (c crowd) during(do func()) (result tally) {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, "go")
	require.NoError(c.t, err)
	do()
	_, err = fmt.Fprintln(c.in, "stop")
	require.NoError(c.t, err)
	var answered int
	_, err = fmt.Fscanln(c.out, &result.asked, &answered, &result.wrong, &result.lost,
		&result.p50, &result.p99, &result.longest)
	require.NoError(c.t, err)
	result.lost += result.asked - answered
	return result
}

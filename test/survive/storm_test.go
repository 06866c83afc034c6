package survive

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// A count is what one thread of testdata/storm.c has counted.
type count struct {
	Name         string
	Asked, Wrong int
	Longest      float64 // of one call, in seconds
	First        string
}

// A storm is a container that binds without end.
type storm struct {
	t       *testing.T
	command *exec.Cmd
	out     *strings.Builder
}

// startStorm starts a container of which every thread binds without end, for at most so many
// seconds. port is permitted.
func startStorm(t *testing.T, port, seconds int) storm {
	t.Helper()
	c := newContainer(t, port, "/storm", fmt.Sprint(port), fmt.Sprint(seconds))
	s := storm{t, c.RunCommand(), new(strings.Builder)}
	s.command.Stdout, s.command.Stderr = s.out, s.out
	require.NoError(t, s.command.Start())
	return s
}

// counts waits for the end of the storm, and returns what it has counted.
func (s storm) counts() (all []count) {
	s.t.Helper()
	require.NoError(s.t, s.command.Wait(), s.out)
	for line := range strings.Lines(s.out.String()) {
		var c count
		require.NoError(s.t, json.Unmarshal([]byte(line), &c), s.out)
		all = append(all, c)
	}
	require.NotEmpty(s.t, all, s.out)
	return all
}

// newContainer returns a container of runc with the annotation for a port.
func newContainer(t *testing.T, port int, args ...string) *runc.Container {
	t.Helper()
	return newContainerOf(t, runc.Runtime{}, port, args...)
}

func newContainerOf(t *testing.T, r runc.Runtime, port int, args ...string) *runc.Container {
	t.Helper()
	rootfs := runc.Rootfs(t)
	for _, program := range []string{"storm", "ask"} {
		compile(t, rootfs, program)
	}
	var seccomp specs.LinuxSeccomp
	text, err := exec.Command("port-restricter", "profile").Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &seccomp))
	return runc.New(t, runc.Config{
		Runtime: r, Rootfs: rootfs, Args: args, Seccomp: &seccomp,
		Annotations: map[string]string{"port-restricter.port": fmt.Sprint(port)},
	})
}

// compile compiles testdata/NAME.c into dir, and returns the program's path.
func compile(t testing.TB, dir, name string) string {
	t.Helper()
	program := filepath.Join(dir, name)
	run(t, "gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
		"-static", "-pthread", "-I../bench/testdata", "-o", program, "testdata/"+name+".c")
	return program
}

// TestNoBindIsLostOrAnsweredWronglyWhenTheAgentIsKilled kills the agent again and again while
// containers bind, and restarts it in between.
func TestNoBindIsLostOrAnsweredWronglyWhenTheAgentIsKilled(t *testing.T) {
	a := startAgent(t)
	const seconds = 20
	storms := []storm{startStorm(t, 7000, seconds), startStorm(t, 7100, seconds)}
	awaitAttached(a, len(storms))
	kills, restarts := 0, 0
	for end := time.Now().Add((seconds - 3) * time.Second); time.Now().Before(end); {
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		if rand.IntN(4) == 0 {
			run(t, "systemctl", "restart", "port-restricter.service")
			restarts++
		} else {
			a.kill()
			kills++
		}
	}
	t.Logf("%d kills, %d restarts", kills, restarts)
	requireRight(t, countsOf(storms), 0)
}

// TestNoBindIsLostOrAnsweredWronglyWhereverTheAgentEnds makes the agent end at every step of a
// bind and of an attachment.
func TestNoBindIsLostOrAnsweredWronglyWhereverTheAgentEnds(t *testing.T) {
	a := startAgent(t, faults)
	const seconds = 30
	storms := []storm{startStorm(t, 7000, seconds), startStorm(t, 7100, seconds)}
	awaitAttached(a, len(storms))
	a.set(faults, "Environment=PORT_RESTRICTER_FAULT_CHANCE=100")
	// It may end before it is ready, and its successor, too.
	run(t, "systemctl", "restart", "--no-block", "port-restricter.service")
	all := countsOf(storms)
	// By chance, some calls have ended two agents.
	requireRight(t, all, strings.Count(a.log(), "several agents ended while they served it"))
	ends := map[string]int{}
	for _, end := range regexp.MustCompile("fault: ended when .*").FindAllString(a.log(), -1) {
		ends[end]++
	}
	t.Log(ends)
	require.Greater(t, len(ends), 5)
}

// awaitAttached waits until n containers are attached. One whose notify fd the agent has received
// and not stored yet would be lost with the agent (docs/operate.md, "What is not kept").
func awaitAttached(a agent, n int) {
	a.t.Helper()
	require.Eventually(a.t, func() bool {
		return strings.Count(a.log(), `"msg":"attached"`) == n
	}, patience, 10*time.Millisecond)
}

// countsOf waits for the end of storms.
func countsOf(storms []storm) (all []count) {
	for _, s := range storms {
		all = append(all, s.counts()...)
	}
	return all
}

// requireRight checks that every answer was right, but for some that were refused.
func requireRight(t *testing.T, all []count, refused int) {
	t.Helper()
	for _, c := range all {
		t.Logf("%+v", c)
		require.NotZero(t, c.Asked, c.Name)
		if c.Wrong > 0 && refused > 0 {
			require.Contains(t, c.First, "EPERM")
		}
		refused -= c.Wrong
		require.GreaterOrEqual(t, refused, 0, "%s: %s", c.Name, c.First)
	}
}

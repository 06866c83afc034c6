package survive

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
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

// newContainer returns a container with the annotation for a port.
func newContainer(t *testing.T, port int, args ...string) *runc.Container {
	t.Helper()
	rootfs := runc.Rootfs(t)
	run(t, "gcc", "-O1", "-static", "-pthread", "-o", filepath.Join(rootfs, "storm"),
		"testdata/storm.c")
	var seccomp specs.LinuxSeccomp
	text := run(t, "port-restricter", "profile")
	require.NoError(t, json.Unmarshal([]byte(text), &seccomp))
	return runc.New(t, runc.Config{
		Rootfs: rootfs, Args: args, Seccomp: &seccomp,
		Annotations: map[string]string{"port-restricter.port": fmt.Sprint(port)},
	})
}

// TestNoBindIsLostOrAnsweredWronglyWhenTheAgentIsKilled kills the agent again and again while
// containers bind, and restarts it in between.
func TestNoBindIsLostOrAnsweredWronglyWhenTheAgentIsKilled(t *testing.T) {
	a := startAgent(t)
	const seconds = 20
	storms := []storm{startStorm(t, 7000, seconds), startStorm(t, 7100, seconds)}
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
	for _, s := range storms {
		for _, c := range s.counts() {
			t.Logf("%+v", c)
			require.NotZero(t, c.Asked, c.Name)
			require.Zero(t, c.Wrong, "%s: %s", c.Name, c.First)
		}
	}
}

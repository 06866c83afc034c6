package runtimes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// profile writes the agent's profile into a file, like one in the kubelet's directory of
// seccomp profiles, and returns its path.
func profile(t *testing.T, agent *runc.Agent) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "port-restricter.json")
	text, err := json.Marshal(agent.Profile(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o644))
	return path
}

// sleeping returns a container whose first process only sleeps, so that a test can run
// other processes in it.
func sleeping(name string) cri.Container {
	return cri.Container{Name: name, Args: []string{cri.Busybox, "sleep", "600"}}
}

func startPod(t *testing.T, engine *cri.Engine, pod cri.Pod) *cri.Pod {
	t.Helper()
	running, err := engine.Run(t, pod)
	require.NoError(t, err)
	return running
}

func startContainer(t *testing.T, pod *cri.Pod, c cri.Container) *cri.Container {
	t.Helper()
	running, err := pod.Start(t, c)
	require.NoError(t, err)
	return running
}

// requirePodRefused requires that a process in the container cannot listen on the port.
func requirePodRefused(t *testing.T, c *cri.Container, port int) {
	t.Helper()
	result, err := c.Exec(cri.Busybox, "nc", "-l", "-p", fmt.Sprint(port))
	require.NoError(t, err)
	require.NotZero(t, result.Code, "a listener on port %d ended without an error", port)
	require.Contains(t, result.Stderr, refusal)
}

// requirePodServed requires that an exec'd process in the container can listen on the port,
// and that a client outside the container reaches it.
func requirePodServed(t *testing.T, engine *cri.Engine, c *cri.Container, port int) {
	t.Helper()
	greeting, done := fmt.Sprintf("hello from port %d", port), make(chan struct{})
	go func() {
		defer close(done)
		listen := fmt.Sprintf("echo %s | busybox nc -l -p %d", greeting, port)
		result, err := c.Exec(cri.Busybox, "sh", "-c", listen)
		if err != nil || result.Code != 0 {
			t.Errorf("the listener on port %d failed: %v %s", port, err, result.Stderr)
		}
	}()
	ask := engine.InNetwork(t, "busybox", "nc", "-w", "5", "127.0.0.1", fmt.Sprint(port))
	require.Eventually(t, func() bool {
		got, err := exec.Command(ask[0], ask[1:]...).Output()
		return err == nil && strings.TrimSpace(string(got)) == greeting
	}, time.Minute, 50*time.Millisecond, "nothing answers on port %d", port)
	<-done
}

// requirePodHeld starts c in a pod that may bind port 5000, and requires that neither the
// first process of a container nor an exec'd process can bind another port. It returns the
// running container.
func requirePodHeld(
	t *testing.T, engine *cri.Engine, pod *cri.Pod, c cri.Container,
) *cri.Container {
	t.Helper()
	first := c
	first.Name += "-first"
	first.Args = []string{cri.Busybox, "nc", "-l", "-p", "5001"}
	ended := startContainer(t, pod, first)
	require.Eventually(t, func() bool { return ended.Ended(t) }, time.Minute, 50*time.Millisecond)
	require.Contains(t, ended.Log(t), refusal)

	running := startContainer(t, pod, c)
	requirePodRefused(t, running, 5001)
	requirePodServed(t, engine, running, 5000)
	return running
}

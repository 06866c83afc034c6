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

// profile is the agent's profile as a file, as it stands in the kubelet's folder.
func profile(t *testing.T, agent *runc.Agent) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "port-restricter.json")
	text, err := json.Marshal(agent.Profile(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o644))
	return path
}

// sleeping is a container that waits for exec.
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

func requirePodRefused(t *testing.T, c *cri.Container, port int) {
	t.Helper()
	result, err := c.Exec(cri.Busybox, "nc", "-l", "-p", fmt.Sprint(port))
	require.NoError(t, err)
	require.NotZero(t, result.Code, "a listener on %d ended well", port)
	require.Contains(t, result.Stderr, refusal)
}

// requirePodServed lets an exec'd process listen, and a client come from outside
// the container.
func requirePodServed(t *testing.T, engine *cri.Engine, c *cri.Container, port int) {
	t.Helper()
	greeting, done := fmt.Sprintf("hello from port %d", port), make(chan struct{})
	go func() {
		defer close(done)
		result, err := c.Exec(cri.Busybox, "sh", "-c", fmt.Sprintf("echo %s | busybox nc -l -p %d", greeting, port))
		if err != nil || result.Code != 0 {
			t.Errorf("the listener on %d: %v %s", port, err, result.Stderr)
		}
	}()
	ask := engine.InNetwork(t, "busybox", "nc", "-w", "5", "127.0.0.1", fmt.Sprint(port))
	require.Eventually(t, func() bool {
		got, err := exec.Command(ask[0], ask[1:]...).Output()
		return err == nil && strings.TrimSpace(string(got)) == greeting
	}, time.Minute, 50*time.Millisecond, "nobody answers on port %d", port)
	<-done
}

// requirePodHeld: a pod's container binds 5000 only, whichever process tries.
func requirePodHeld(t *testing.T, engine *cri.Engine, pod *cri.Pod, c cri.Container) *cri.Container {
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

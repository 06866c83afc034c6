// Package runtimes tests that real containers can bind only their allowed ports. The
// containers are run by runc and crun, directly or through the runtime shim, and by the
// engines podman, containerd and CRI-O, in every way by which port-restricter puts its
// filter into a container.
package runtimes

import (
	"fmt"
	"io"
	"net"
	"os"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/test/runc"
)

const (
	busybox = "/bin/busybox"
	key     = "port-restricter.port"
	refusal = "Operation not permitted"
)

// container returns a container with the agent's filter. It has the port annotation unless
// port is empty.
func container(t *testing.T, agent *runc.Agent, port string, args ...string) *runc.Container {
	annotations := map[string]string{}
	if port != "" {
		annotations[key] = port
	}
	return runc.New(t, runc.Config{
		Rootfs: runc.Rootfs(t), Args: args, Seccomp: agent.Profile(t), Annotations: annotations,
	})
}

// idle returns a running container whose first process only sleeps, so that a test can run
// other processes in it.
func idle(t *testing.T, agent *runc.Agent, port string) *runc.Container {
	t.Helper()
	c := container(t, agent, port, busybox, "sleep", "600")
	require.NoError(t, c.Start(t))
	return c
}

// requireRefused requires that a process in the container cannot listen on the port.
func requireRefused(t *testing.T, c *runc.Container, port int) {
	t.Helper()
	result := runc.Finish(t, c.Exec(t, busybox, "nc", "-l", "-p", fmt.Sprint(port)))
	require.NotZero(t, result.Code, "a listener on port %d ended without an error", port)
	require.Contains(t, result.Stderr, refusal)
}

// requireServed requires that a process in the container can listen on the port, and that
// a client outside the container reaches it.
func requireServed(t *testing.T, c *runc.Container, port int) {
	t.Helper()
	greeting := fmt.Sprintf("hello from port %d", port)
	listener := c.Exec(t, busybox, "nc", "-l", "-p", fmt.Sprint(port))
	listener.Stdin = strings.NewReader(greeting)
	require.NoError(t, listener.Start())
	pid := c.Pid(t)
	require.Eventually(t, func() bool {
		got, err := askFromOutside(pid, port)
		return err == nil && got == greeting
	}, time.Minute, 50*time.Millisecond, "nothing answers on port %d", port)
	require.NoError(t, listener.Wait())
}

// askFromOutside connects to a port in the network namespace of process pid, and returns
// what the listener sends. The client enters no other namespace of the container.
func askFromOutside(pid, port int) (answer string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		goruntime.LockOSThread() // and never unlocks it, so the thread ends with the goroutine
		var ns *os.File
		if ns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil {
			return
		}
		defer ns.Close()
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return
		}
		var conn net.Conn
		if conn, err = net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			return
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).CloseWrite()
		var all []byte
		all, err = io.ReadAll(conn)
		answer = string(all)
	}()
	<-done
	return answer, err
}

// TestRuncContainerIsHeldToItsPort shows the main use: a process in a container can listen
// on the annotated port only, and a refusal is logged.
func TestRuncContainerIsHeldToItsPort(t *testing.T) {
	agent := runc.StartAgent(t)
	c := idle(t, agent, "5000")
	requireRefused(t, c, 5001)
	requireServed(t, c, 5000)
	require.Contains(t, agent.LogsOf(t, c), "5001", "the refusal is not in the log")
}

// TestRuncFirstProcessIsHeldToItsPort shows that the filter is in force before the
// container's first process runs.
func TestRuncFirstProcessIsHeldToItsPort(t *testing.T) {
	agent := runc.StartAgent(t)
	result := container(t, agent, "5000", busybox, "nc", "-l", "-p", "5001").Run(t)
	require.NotZero(t, result.Code)
	require.Contains(t, result.Stderr, refusal)
}

// TestRuncContainersOfOneAgentHaveTheirOwnPorts shows that an agent applies to each
// container its own policy.
func TestRuncContainersOfOneAgentHaveTheirOwnPorts(t *testing.T) {
	agent := runc.StartAgent(t)
	first, second := idle(t, agent, "5000"), idle(t, agent, "6000/tcp,6001")
	requireRefused(t, first, 6000)
	requireRefused(t, second, 5000)
	requireServed(t, first, 5000)
	requireServed(t, second, 6000)
	requireServed(t, second, 6001)
}

// TestRuncContainerWithoutAPolicyBindsNothing shows that a missing or invalid annotation
// denies every port, and that the agent's log says why.
func TestRuncContainerWithoutAPolicyBindsNothing(t *testing.T) {
	for _, test := range []struct{ name, annotation, reason string }{
		{"no annotation", "", key},
		{"a range that ends before it begins", "5000-4000", "5000-4000"},
		{"not a number", "http", "http"},
		{"a port that is too high", "65536", "65536"},
		{"a list with an empty element", "5000,,5001", key},
	} {
		t.Run(test.name, func(t *testing.T) {
			agent := runc.StartAgent(t)
			c := idle(t, agent, test.annotation)
			requireRefused(t, c, 5000)
			requireRefused(t, c, 5001)
			require.Contains(t, agent.LogsOf(t, c), test.reason, "the log does not say why")
		})
	}
}

// TestRuncContainerIsNotMadeWithoutAnAgent shows that a container with the filter does not
// start without an agent. It would run without a port.
func TestRuncContainerIsNotMadeWithoutAnAgent(t *testing.T) {
	agent := runc.StartAgent(t)
	c := container(t, agent, "5000", busybox, "true")
	agent.Stop(t)
	require.ErrorContains(t, c.Start(t), "seccomp agent")
}

// TestAContainerMayBeStartedLate shows that an engine may let a created container wait. crun
// connects to the agent when it creates the container. With no_new_privs it sends the notify fd
// when the container is started.
func TestAContainerMayBeStartedLate(t *testing.T) {
	agent := runc.StartAgent(t)
	real := runc.Crun(t)
	mend := real.Mend
	real.Mend = func(s *specs.Spec) { mend(s); s.Process.NoNewPrivileges = true }
	c := runc.New(t, runc.Config{
		Runtime: real, Rootfs: runc.Rootfs(t), Args: []string{busybox, "sleep", "600"},
		Seccomp: agent.Profile(t), Annotations: map[string]string{key: "5000"},
	})
	require.NoError(t, c.Create(t))
	time.Sleep(11 * time.Second) // longer than the agent waits for the rest of a message
	require.NoError(t, c.StartCreated(t))
	requireRefused(t, c, 5001)
	requireServed(t, c, 5000)
}

// TestRuncContainerOutlivesItsAgentWithoutAPort shows that the end of the agent opens no
// port: binds fail in the processes that run, and exec starts no others.
func TestRuncContainerOutlivesItsAgentWithoutAPort(t *testing.T) {
	agent := runc.StartAgent(t)
	c := idle(t, agent, "5000")
	// The agent serves this process already when the agent ends.
	attached := c.Exec(t, busybox, "sh", "-c", "read go; exec nc -l -p 5000")
	stdin, err := attached.StdinPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	attached.Stderr = &stderr
	require.NoError(t, attached.Start())
	require.Eventually(t, func() bool {
		return strings.Count(agent.LogsOf(t, c), `"attached`) == 2
	}, time.Minute, 10*time.Millisecond, "the agent does not serve the container and the exec")
	agent.Stop(t)
	require.NoFileExists(t, agent.Socket)
	_, err = io.WriteString(stdin, "\n")
	require.NoError(t, err)
	require.Error(t, attached.Wait())
	require.Contains(t, stderr.String(), "Function not implemented")
	another := runc.Finish(t, c.Exec(t, busybox, "true"))
	require.NotZero(t, another.Code, "exec works without an agent")
}

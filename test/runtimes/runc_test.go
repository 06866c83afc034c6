// Package runtimes holds real containers of real OCI runtimes to their ports.
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

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/test/runc"
)

const (
	busybox = "/bin/busybox"
	key     = "port-restricter.port"
	refusal = "Operation not permitted"
)

// container is one of the agent's, with the port annotation if there is one.
func container(t *testing.T, agent *runc.Agent, port string, args ...string) *runc.Container {
	annotations := map[string]string{}
	if port != "" {
		annotations[key] = port
	}
	return runc.New(t, runc.Config{Rootfs: runc.Rootfs(t), Args: args, Seccomp: agent.Profile(t), Annotations: annotations})
}

// idle is a started container that waits for exec.
func idle(t *testing.T, agent *runc.Agent, port string) *runc.Container {
	t.Helper()
	c := container(t, agent, port, busybox, "sleep", "600")
	require.NoError(t, c.Start(t))
	return c
}

func requireRefused(t *testing.T, c *runc.Container, port int) {
	t.Helper()
	result := runc.Finish(t, c.Exec(t, busybox, "nc", "-l", "-p", fmt.Sprint(port)))
	require.NotZero(t, result.Code, "a listener on %d ended well", port)
	require.Contains(t, result.Stderr, refusal)
}

// requireServed lets the container listen on the port, and a client come from outside.
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
	}, time.Minute, 50*time.Millisecond, "nobody answers on port %d", port)
	require.NoError(t, listener.Wait())
}

// askFromOutside is a client of the host on the container's network: it enters
// the network namespace, and nothing else of the container.
func askFromOutside(pid, port int) (answer string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
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

func TestRuncContainerIsHeldToItsPort(t *testing.T) {
	agent := runc.StartAgent(t)
	c := idle(t, agent, "5000")
	requireRefused(t, c, 5001)
	requireServed(t, c, 5000)
	require.Contains(t, agent.LogsOf(t, c), "5001", "the refusal is not in the log")
}

func TestRuncFirstProcessIsHeldToItsPort(t *testing.T) {
	result := container(t, runc.StartAgent(t), "5000", busybox, "nc", "-l", "-p", "5001").Run(t)
	require.NotZero(t, result.Code)
	require.Contains(t, result.Stderr, refusal)
}

func TestRuncContainersOfOneAgentHaveTheirOwnPorts(t *testing.T) {
	agent := runc.StartAgent(t)
	first, second := idle(t, agent, "5000"), idle(t, agent, "6000/tcp,6001")
	requireRefused(t, first, 6000)
	requireRefused(t, second, 5000)
	requireServed(t, first, 5000)
	requireServed(t, second, 6000)
	requireServed(t, second, 6001)
}

func TestRuncContainerWithoutAPolicyBindsNothing(t *testing.T) {
	for _, test := range []struct{ name, annotation, reason string }{
		{"no annotation", "", key},
		{"a range backwards", "5000-4000", "5000-4000"},
		{"no number", "http", "http"},
		{"a port too high", "65536", "65536"},
		{"a list with a hole", "5000,,5001", key},
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

func TestRuncContainerIsNotMadeWithoutAnAgent(t *testing.T) {
	agent := runc.StartAgent(t)
	c := container(t, agent, "5000", busybox, "true")
	agent.Stop(t)
	require.ErrorContains(t, c.Start(t), "seccomp agent")
}

func TestRuncContainerOutlivesItsAgentWithoutAPort(t *testing.T) {
	agent := runc.StartAgent(t)
	c := idle(t, agent, "5000")
	// bind fails in a process that was attached; exec attaches another, and fails.
	attached := c.Exec(t, busybox, "sh", "-c", "read go; exec nc -l -p 5000")
	stdin, err := attached.StdinPipe()
	require.NoError(t, err)
	var said strings.Builder
	attached.Stderr = &said
	require.NoError(t, attached.Start())
	require.Eventually(t, func() bool { return strings.Count(agent.LogsOf(t, c), `"attached"`) == 2 }, time.Minute, 10*time.Millisecond)
	agent.Stop(t)
	require.NoFileExists(t, agent.Socket)
	_, err = io.WriteString(stdin, "\n")
	require.NoError(t, err)
	require.Error(t, attached.Wait())
	require.Contains(t, said.String(), "Function not implemented")
	require.NotZero(t, runc.Finish(t, c.Exec(t, busybox, "true")).Code, "exec works without an agent")
}

package survive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/test/runc"
)

// faults is the setting that makes the agent one that ends itself.
const faults = "ExecStart=\nExecStart=/usr/bin/port-restricter-faults agent\n"

// A container that starts while there is no agent waits for the next one.
func TestAContainerThatStartsMeanwhileIsServed(t *testing.T) {
	a := startAgent(t, "RestartSec=2s")
	pid := a.pid()
	run(t, "kill", "-KILL", fmt.Sprint(pid))
	late := startAsker(t, 7000)
	a.awaitNew(pid)
	late.isReady()
	require.Equal(t, "works", late.bind(7000))
	require.Equal(t, "EPERM", late.bind(7001))
}

// systemd starts the next agent at once. If none can start, each one takes its time, and the
// containers are still there for the one that can.
func TestAnAgentThatCannotStartIsTriedOnceASecond(t *testing.T) {
	a := startAgent(t)
	c := startAsker(t, 7000).isReady()
	require.NoError(t, os.MkdirAll(filepath.Dir(settings.DefaultPath), 0o755))
	require.NoError(t, os.WriteFile(settings.DefaultPath, []byte("listener = 7"), 0o644))
	t.Cleanup(func() { _ = os.Remove(settings.DefaultPath) })
	began := time.Now()
	run(t, "kill", "-KILL", fmt.Sprint(a.pid()))
	const tries = 4
	require.Eventually(t, func() bool {
		return strings.Count(a.log(), settings.DefaultPath) >= tries
	}, patience, 10*time.Millisecond)
	require.Greater(t, time.Since(began), tries*time.Second)
	require.NoError(t, os.Remove(settings.DefaultPath))
	require.Equal(t, "works", c.bind(7000))
	require.Equal(t, "EPERM", c.bind(7001))
}

// The same for one that can't say so: it is killed, or panics, before it is ready.
func TestAnAgentThatIsKilledBeforeItIsReadyIsTriedOnceASecond(t *testing.T) {
	a := startAgent(t, faults)
	c := startAsker(t, 7000).isReady()
	a.set(faults + "Environment=PORT_RESTRICTER_FAULT_STEP=started")
	began := time.Now()
	run(t, "kill", "-KILL", fmt.Sprint(a.pid()))
	const tries = 4
	require.Eventually(t, func() bool {
		return strings.Count(a.log(), "fault: ended when started") >= tries
	}, patience, 10*time.Millisecond)
	require.Greater(t, time.Since(began), (tries-1)*time.Second)
	a.set()
	require.Equal(t, "works", c.bind(7000))
	require.Equal(t, "EPERM", c.bind(7001))

	const waits = "ended before it was ready"
	waited := strings.Count(a.log(), waits)
	require.NotZero(t, waited)
	for range 3 {
		a.kill()
	}
	require.Equal(t, waited, strings.Count(a.log(), waits), "the next one starts at once")
}

// crun connects to the agent when it creates a container, and sends when it starts it.
func TestAContainerCanBeCreatedBeforeARestartAndStartedAfterwards(t *testing.T) {
	a := startAgent(t)
	crun := runc.Runtime{
		Path: "/usr/bin/crun", Mend: func(s *specs.Spec) { s.Linux.Resources = nil },
	}
	c := newContainerOf(t, crun, 7000,
		"/bin/busybox", "nc", "-l", "-p", "7000")
	require.NoError(t, c.Create(t))
	require.Eventually(t, func() bool {
		return a.property("NFileDescriptorStore") == "2" // the memory, and the connection
	}, patience, 10*time.Millisecond)
	for range 2 {
		a.kill()
	}
	run(t, "systemctl", "restart", "port-restricter.service")
	require.NoError(t, c.StartCreated(t))
	require.Eventually(t, func() bool {
		return strings.Contains(a.log(), `"policy":"7000"`)
	}, patience, 10*time.Millisecond)
	require.True(t, c.Runs(t))
}

// systemd keeps the store when it executes itself again, as its own upgrade makes it do.
func TestSystemdIsExecutedAgain(t *testing.T) {
	a := startAgent(t)
	c := startAsker(t, 7000).isReady()
	run(t, "systemctl", "daemon-reexec")
	require.Equal(t, "works", c.bind(7000))
	a.kill()
	require.Equal(t, "works", c.bind(7000))
	require.Equal(t, "EPERM", c.bind(7001))
}

// Stop means stop: nobody serves the containers that ran, not even the next agent.
func TestStopMeansStop(t *testing.T) {
	a := startAgent(t)
	old := startAsker(t, 7000).isReady()
	require.Equal(t, "works", old.bind(7000))
	require.Contains(t, run(t, "/usr/bin/port-restricter", "status"), "LAST REFUSAL")
	run(t, "systemctl", "stop", "port-restricter.service", "port-restricter.socket")
	require.Equal(t, "ENOSYS", old.bind(7000))
	require.Contains(t, run(t, "/usr/bin/port-restricter", "status"),
		"The agent serves no container")
	run(t, "systemctl", "stop", "port-restricter.service")
	run(t, "systemctl", "start", "port-restricter.socket", "port-restricter.service")
	require.Equal(t, "ENOSYS", old.bind(7000))
	next := startAsker(t, 7000).isReady()
	require.Equal(t, "works", next.bind(7000))
	require.Contains(t, a.log(), "these containers")
}

// The store has room for the memory and two containers.
func TestWhatTheStoreHasNoRoomForIsNamedAndServed(t *testing.T) {
	a := startAgent(t, "FileDescriptorStoreMax=3", "Environment=FDSTORE=3")
	var askers []asker
	for i := range 4 {
		askers = append(askers, startAsker(t, 7000+i).isReady())
		require.Equal(t, "works", askers[i].bind(7000+i))
	}
	require.Contains(t, a.log(), "would not survive a restart of the agent")
	a.kill()
	for i, asker := range askers {
		if i < 2 {
			require.Equal(t, "works", asker.bind(7000+i))
		} else {
			require.Equal(t, "ENOSYS", asker.bind(7000+i))
		}
	}
}

// An agent of another version cannot read what the one before has left. It serves the
// containers, refuses what they ask for, and says so.
func TestAnAgentOfAnotherVersionFailsClosed(t *testing.T) {
	a := startAgent(t)
	old := startAsker(t, 7000).isReady()
	require.Equal(t, "works", old.bind(7000))
	another := faults + "Environment=PORT_RESTRICTER_FAULT_LAYOUT=999999"
	for _, version := range []string{another, ""} {
		a.set(version)
		run(t, "systemctl", "restart", "port-restricter.service")
		require.Equal(t, "EPERM", old.bind(7000))
		require.Contains(t, a.log(), "that of another version of port-restricter")
		require.Contains(t, a.log(), "every bind will be refused")
		next := startAsker(t, 7100).isReady()
		require.Equal(t, "works", next.bind(7100))
		a.kill()
		require.Equal(t, "works", next.bind(7100))
		require.Equal(t, "EPERM", old.bind(7000))
	}
}

// A call that ends every agent that serves it is refused by the third.
func TestACallThatEndsAgentsIsRefused(t *testing.T) {
	a := startAgent(t, faults, "Environment=PORT_RESTRICTER_FAULT_PORT=7001")
	poison, other := startAsker(t, 7000).isReady(), startAsker(t, 7100).isReady()
	require.Equal(t, "works", poison.bind(7000))
	require.Equal(t, "EPERM", poison.bind(7001))
	require.Equal(t, "2", a.property("NRestarts"))
	require.Contains(t, a.log(), "several agents ended while they served it")
	require.Equal(t, "works", other.bind(7100))
	require.Equal(t, "works", poison.bind(7000))
}

// An agent ends when it has made a bind, and has not said so. The next one sees by the name of the
// socket that it was made: the name that a helper bound, which can be a shorter one.
func TestABindToAPathInProcThatWasMadeIsAnsweredSo(t *testing.T) {
	a := startAgent(t)
	c := startAsker(t, 7000).isReady()
	for _, path := range []string{
		"/proc/self/fd/9/a", "/proc/self/cwd/b", "/proc/self/root/tmp/c",
	} {
		a.set(faults + "Environment=PORT_RESTRICTER_FAULT_STEP=made")
		a.ctl("restart", agentUnits[0])
		a.set()
		before := a.pid()
		require.Equal(t, "works", c.bind(path))
		require.NotEqual(t, before, a.pid())
		require.Equal(t, "EADDRINUSE", c.bind(path), "it is there")
	}
	require.Equal(t, 3, strings.Count(a.log(), "fault: ended when made"))
}

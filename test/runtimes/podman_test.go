package runtimes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestAPodmanContainerIsHeldByProfileAndAnnotation shows the way that needs no configuration
// of podman: --security-opt seccomp= and an annotation.
func TestAPodmanContainerIsHeldByProfileAndAnnotation(t *testing.T) {
	agent := runc.StartAgent(t)
	podman := newPodman(t, "runc", nil)
	profile := filepath.Join(t.TempDir(), "port-restricter.json")
	text, err := json.Marshal(agent.Profile(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(profile, text, 0o644))
	listen := func(port, listenOn string) runc.Result {
		return podman.listen(t, listenOn,
			"--security-opt", "seccomp="+profile, "--annotation", key+"="+port)
	}

	refused := listen("5000", "5001")
	require.Contains(t, refused.Stderr, refusal)
	served := listen("5000", "5000")
	require.Equal(t, listened, served.Code, served.Stderr)

	agent.Stop(t)
	require.Contains(t, listen("5000", "5000").Stderr, "agent",
		"a container starts without an agent")
}

// forRuncAndCrun runs a test with each OCI runtime that podman supports.
func forRuncAndCrun(t *testing.T, test func(t *testing.T, runtime string)) {
	for _, runtime := range []string{"runc", "crun"} {
		t.Run(runtime, func(t *testing.T) { test(t, runtime) })
	}
}

// annotation is podman's option for the port annotation, without the ports.
const annotation = "--annotation=" + key + "="

// requireHeld starts a container that may bind port 5000 only, and requires that this holds
// for its exec'd processes and for its health checks.
func requireHeld(t *testing.T, podman *podmanEngine, options ...string) {
	t.Helper()
	const name = "held"
	rootfs := runc.Rootfs(t)
	// A health check runs in a shell.
	require.NoError(t, os.Symlink("busybox", filepath.Join(rootfs, "bin/sh")))
	run := append(append([]string{"run", "--detach", "--name", name}, podman.run...), options...)
	const health = "busybox timeout 1 busybox nc -l -p $(busybox cat /port); [ $? = 143 ]"
	started := podman.do(t, append(run,
		annotation+"5000", "--health-cmd", health, "--health-interval", "disable",
		"--rootfs", rootfs, busybox, "sh", "-c", "echo 5001 >/port; exec busybox sleep 600")...)
	require.Zero(t, started.Code, started.Stderr)

	exec := func(env string) runc.Result {
		return podman.do(t, "exec", "--env", env, name,
			busybox, "sh", "-c", "busybox timeout 1 busybox nc -l -p $PORT")
	}
	require.Contains(t, exec("PORT=5001").Stderr, refusal)
	served := exec("PORT=5000")
	require.Equal(t, listened, served.Code, served.Stderr)
	unhealthy := podman.do(t, "healthcheck", "run", name)
	require.Equal(t, 1, unhealthy.Code, "a health check that binds port 5001")
	require.Zero(t, podman.do(t, "exec", name, busybox, "sh", "-c", "echo 5000 >/port").Code)
	healthy := podman.do(t, "healthcheck", "run", name)
	require.Zero(t, healthy.Code, "a health check that binds port 5000: %s%s",
		healthy.Stdout, healthy.Stderr)
	require.Zero(t, podman.do(t, "rm", "--force", "--time", "0", name).Code)
}

// TestPodmanHoldsAContainerBehindTheShim shows that podman with the shim as its OCI runtime
// restricts annotated containers, and that only they need an agent.
func TestPodmanHoldsAContainerBehindTheShim(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		agent := runc.StartAgent(t)
		podman := podmanBehindShim(t, runtime, agent)
		requireHeld(t, podman)
		require.Equal(t, listened, podman.listen(t, "5001").Code, "without an annotation")

		invalid := podman.listen(t, "5000", annotation+"http")
		require.Equal(t, 126, invalid.Code)
		require.Contains(t, invalid.Stderr, `annotation port-restricter.port: "http" is not a port`)
		require.Regexp(t, `"by":"port-restricter-runtime".*\\"http\\" is not a port`, agent.Log(t))

		agent.Stop(t)
		result := podman.listen(t, "5000", annotation+"5000")
		require.Equal(t, 126, result.Code)
		require.Contains(t, result.Stderr, "start it: port-restricter agent --socket "+agent.Socket)
		// podman replaces an error by another one if it contains certain words.
		require.NotContains(t, result.Stderr, "attempted to invoke a command that was not found")
		require.Equal(t, listened, podman.listen(t, "5001").Code,
			"a container without an annotation needs an agent")
	})
}

// TestPodmanHoldsAContainerInAUserNamespaceBehindTheShim shows that a user namespace neither
// frees a container from its ports nor takes its allowed ports away, the low ones included.
func TestPodmanHoldsAContainerInAUserNamespaceBehindTheShim(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		podman := podmanBehindShim(t, runtime, runc.StartAgent(t))
		listen := func(port, allowed string) runc.Result {
			t.Helper()
			return podman.listen(t, port, "--uidmap", "0:100000:65536", annotation+allowed)
		}
		require.Contains(t, listen("5001", "5000").Stderr, refusal)
		require.Equal(t, listened, listen("5000", "5000").Code)
		require.Equal(t, listened, listen("80", "80").Code,
			"root of the user namespace has CAP_NET_BIND_SERVICE over the container's network")
	})
}

// TestPodmanContainerBorrowsNoPrivilege shows that a container cannot bind a low port that
// its annotation allows if it lacks the capability. The agent has the capability, and must
// not lend it.
func TestPodmanContainerBorrowsNoPrivilege(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		podman := podmanBehindShim(t, runtime, runc.StartAgent(t))
		user := podman.listen(t, "80", annotation+"80", "--user", "1234")
		require.Contains(t, user.Stderr, "Permission denied")
		dropped := podman.listen(t, "80", annotation+"80", "--cap-drop", "net_bind_service")
		require.Contains(t, dropped.Stderr, "Permission denied")
		capable := podman.listen(t, "80", annotation+"80")
		require.Equal(t, listened, capable.Code, "a container with the capability")
	})
}

// TestPodmanHoldsAContainerByThePrecreateHook shows that the precreate hook puts the filter
// into config.json, and that its errors keep a container from starting.
func TestPodmanHoldsAContainerByThePrecreateHook(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		agent := runc.StartAgent(t)
		podman := podmanWithHook(t, runtime, "precreate", agent)
		requireHeld(t, podman)
		require.Equal(t, listened, podman.listen(t, "5001").Code, "without an annotation")
		const reason = `annotation port-restricter.port: "http" is not a port`
		invalid := podman.listen(t, "5000", annotation+"http")
		require.Equal(t, 126, invalid.Code)
		require.Contains(t, invalid.Stderr, "(port-restricter refuses this container: "+reason)
		require.Regexp(t, `"by":"hook precreate".*\\"http\\" is not a port`, agent.Log(t))

		agent.Stop(t)
		result := podman.listen(t, "5000", annotation+"5000")
		require.Equal(t, 126, result.Code)
		require.Contains(t, result.Stderr, "start it: port-restricter agent --socket "+agent.Socket)
	})
}

// TestPodmanRefusesAContainerByTheGuardHook shows that the guard keeps an annotated container
// without the filter from starting, or from running on, in each of the stages in which it can
// run.
func TestPodmanRefusesAContainerByTheGuardHook(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		for stage, says := range map[string]string{
			"createRuntime": "does not contain port-restricter's filter",
			"prestart":      "does not contain port-restricter's filter",
			"poststart":     "nothing holds the container's process to its ports",
		} {
			agent := runc.StartAgent(t)
			podman := podmanWithHook(t, runtime, stage, agent)
			unfiltered := podman.listen(t, "5000", annotation+"5000")
			require.NotZero(t, unfiltered.Code)
			require.NotEqual(t, listened, unfiltered.Code)
			if runtime == "runc" { // crun does not pass on what a hook writes
				require.Contains(t, unfiltered.Stderr, says)
			}
			require.Regexp(t, `"by":"hook `+stage+`".*`+says, agent.Log(t))
			require.Equal(t, listened, podman.listen(t, "5000").Code, "without an annotation")
		}
	})
}

package runtimes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

func TestAPodmanContainerIsHeldByProfileAndAnnotation(t *testing.T) {
	agent := runc.StartAgent(t)
	podman := newPodman(t, "runc", nil)
	profile := filepath.Join(t.TempDir(), "port-restricter.json")
	text, err := json.Marshal(agent.Profile(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(profile, text, 0o644))
	listen := func(port, listenOn string) runc.Result {
		return podman.listen(t, listenOn, "--security-opt", "seccomp="+profile, "--annotation", key+"="+port)
	}

	refused := listen("5000", "5001")
	require.Contains(t, refused.Stderr, refusal)
	served := listen("5000", "5000")
	require.Equal(t, listened, served.Code, served.Stderr)

	agent.Stop(t)
	require.Contains(t, listen("5000", "5000").Stderr, "agent", "without an agent no container starts")
}

func forRuncAndCrun(t *testing.T, test func(t *testing.T, runtime string)) {
	for _, runtime := range []string{"runc", "crun"} {
		t.Run(runtime, func(t *testing.T) { test(t, runtime) })
	}
}

const annotation = "--annotation=" + key + "="

// requireHeld starts a container that may bind 5000 and looks from inside and outside.
func requireHeld(t *testing.T, podman *podmanEngine, options ...string) {
	t.Helper()
	const name = "held"
	rootfs := runc.Rootfs(t)
	require.NoError(t, os.Symlink("busybox", filepath.Join(rootfs, "bin/sh"))) // a health check's shell
	run := append(append([]string{"run", "--detach", "--name", name}, podman.run...), options...)
	started := podman.do(t, append(run, annotation+"5000", "--health-cmd", "busybox timeout 1 busybox nc -l -p $(busybox cat /port); [ $? = 143 ]",
		"--health-interval", "disable", "--rootfs", rootfs, busybox, "sh", "-c", "echo 5001 >/port; exec busybox sleep 600")...)
	require.Zero(t, started.Code, started.Stderr)

	exec := func(env string) runc.Result {
		return podman.do(t, "exec", "--env", env, name, busybox, "sh", "-c", "busybox timeout 1 busybox nc -l -p $PORT")
	}
	require.Contains(t, exec("PORT=5001").Stderr, refusal)
	served := exec("PORT=5000")
	require.Equal(t, listened, served.Code, served.Stderr)
	require.Equal(t, 1, podman.do(t, "healthcheck", "run", name).Code, "a health check that binds 5001")
	require.Zero(t, podman.do(t, "exec", name, busybox, "sh", "-c", "echo 5000 >/port").Code)
	healthy := podman.do(t, "healthcheck", "run", name)
	require.Zero(t, healthy.Code, "a health check that binds 5000: %s%s", healthy.Stdout, healthy.Stderr)
	require.Zero(t, podman.do(t, "rm", "--force", "--time", "0", name).Code)
}

func TestPodmanHoldsAContainerBehindTheShim(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		agent := runc.StartAgent(t)
		podman := podmanBehindShim(t, runtime, agent)
		requireHeld(t, podman)
		require.Equal(t, listened, podman.listen(t, "5001").Code, "without an annotation")

		agent.Stop(t)
		result := podman.listen(t, "5000", annotation+"5000")
		require.Equal(t, 126, result.Code)
		require.Contains(t, result.Stderr, "start it: port-restricter agent --socket "+agent.Socket)
		// podman turns some errors into others by their words.
		require.NotContains(t, result.Stderr, "attempted to invoke a command that was not found")
		require.Equal(t, listened, podman.listen(t, "5001").Code, "without an annotation no agent is needed")
	})
}

func TestPodmanHoldsAContainerInAUserNamespaceBehindTheShim(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		podman := podmanBehindShim(t, runtime, runc.StartAgent(t))
		mapped := []string{"--uidmap", "0:100000:65536"}
		require.Contains(t, podman.listen(t, "5001", append(mapped, annotation+"5000")...).Stderr, refusal)
		require.Equal(t, listened, podman.listen(t, "5000", append(mapped, annotation+"5000")...).Code)
		require.Equal(t, listened, podman.listen(t, "80", append(mapped, annotation+"80")...).Code, "root there has the capability over the container's network")
	})
}

// The agent could bind 80. What it may bind for the container is what the
// container could.
func TestPodmanContainerBorrowsNoPrivilege(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		podman := podmanBehindShim(t, runtime, runc.StartAgent(t))
		require.Contains(t, podman.listen(t, "80", annotation+"80", "--user", "1234").Stderr, "Permission denied")
		require.Contains(t, podman.listen(t, "80", annotation+"80", "--cap-drop", "net_bind_service").Stderr, "Permission denied")
		require.Equal(t, listened, podman.listen(t, "80", annotation+"80").Code, "the same with the capability")
	})
}

func TestPodmanHoldsAContainerByThePrecreateHook(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		agent := runc.StartAgent(t)
		podman := podmanWithHook(t, runtime, "precreate", agent)
		requireHeld(t, podman)
		require.Equal(t, listened, podman.listen(t, "5001").Code, "without an annotation")
		require.NotZero(t, podman.listen(t, "5000", annotation+"http").Code, "an annotation that makes no policy")

		agent.Stop(t)
		result := podman.listen(t, "5000", annotation+"5000")
		require.NotZero(t, result.Code)
		require.Contains(t, result.Stderr, "seccomp")
		require.Contains(t, result.Stderr, agent.Socket)
	})
}

func TestPodmanRefusesAContainerByTheGuardHook(t *testing.T) {
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		for _, stage := range []string{"createRuntime", "prestart"} {
			podman := podmanWithHook(t, runtime, stage, runc.StartAgent(t))
			unfiltered := podman.listen(t, "5000", annotation+"5000")
			require.NotZero(t, unfiltered.Code)
			require.NotEqual(t, listened, unfiltered.Code)
			if runtime == "runc" { // crun keeps what a hook says to itself
				require.Contains(t, unfiltered.Stderr, "no filter of ours")
			}
			require.Equal(t, listened, podman.listen(t, "5000").Code, "without an annotation")
		}
	})
}

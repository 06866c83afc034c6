package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestPodmanHoldsContainersOnceConfigured shows that configure podman is enough for podman
// to restrict annotated containers. Before it, after --dry-run and after --remove, podman
// runs them unrestricted. An administrator's own hooks keep running.
func TestPodmanHoldsContainersOnceConfigured(t *testing.T) {
	agent := runc.StartAgent(t)
	n := newNode(t, "listener = '"+agent.Socket+"'", "", "/etc/containers/containers.conf.d")
	// The administrator has a hook, in a directory that only the administrator's file names.
	n.run(t, "sh", "-c", `mkdir -p /etc/hooks /etc/containers/containers.conf.d
		echo '[engine]
			hooks_dir = ["/etc/hooks"]' >/etc/containers/containers.conf.d/10-site.conf
		echo '{
			"version": "1.0.0",
			"hook": {"path": "/bin/touch", "args": ["touch", "/etc/hooks/ran"]},
			"when": {"always": true},
			"stages": ["prestart"]
		}' >/etc/hooks/site.json`)
	podman := newPodman(t, "runc", n.World)
	listen := func(port string, flags ...string) runc.Result {
		t.Helper()
		return podman.listen(t, port, flags...)
	}
	requireRefused := func(result runc.Result) {
		t.Helper()
		require.Contains(t, result.Stderr, refusal)
	}
	requireServed := func(result runc.Result) {
		t.Helper()
		require.Equal(t, listened, result.Code, result.Stderr)
	}
	annotated := []string{"--annotation", key + "=5000"}
	requireServed(listen("5001", annotated...))

	dry := n.configure(t, "podman", "--dry-run")
	require.Contains(t, dry, "+++ /etc/containers/containers.conf.d/port-restricter.conf")
	requireServed(listen("5001", annotated...))

	wrote := n.configure(t, "podman")
	require.Contains(t, wrote, "created /etc/containers/containers.conf.d/port-restricter.conf\n")
	require.Contains(t, wrote, "\nnext: ")
	require.Equal(t, "nothing to change\n", n.configure(t, "podman"))
	requireRefused(listen("5001", annotated...))
	requireServed(listen("5000", annotated...))
	requireServed(listen("5001")) // without an annotation
	n.run(t, "rm", "/etc/hooks/ran")
	requireServed(listen("5000", annotated...))
	n.run(t, "test", "-e", "/etc/hooks/ran")

	t.Run("with --runtime port-restricter", func(t *testing.T) {
		requireRefused(newPodman(t, handler, n.World).listen(t, "5001", annotated...))
	})

	// Without the precreate hook, the guard refuses the container.
	n.run(t, "rm", "/etc/port-restricter/podman/hooks.d/port-restricter-precreate.json")
	result := listen("5000", annotated...)
	require.Contains(t, result.Stderr, "does not contain port-restricter's filter")
	require.NotZero(t, result.Code)

	n.configure(t, "podman", "--remove")
	requireServed(listen("5001", annotated...))
}

// TestConfiguredPodmanHoldsEveryContainerToTheMetadata shows that metadata with ports
// restricts containers that nobody annotated, those of an image that says it is a pod's
// sandbox too, and that a misspelt annotation keeps a container from starting.
func TestConfiguredPodmanHoldsEveryContainerToTheMetadata(t *testing.T) {
	agent := runc.StartAgent(t)
	n := newNode(t, "listener = '"+agent.Socket+"'", "", "/etc/containers/containers.conf.d")
	n.configure(t, "podman")
	podman := newPodman(t, "runc", n.World)
	for _, key := range []string{"port-restrictor.port", "Port-Restricter.port"} {
		misspelt := podman.listen(t, "5000", "--annotation", key+"=5000")
		require.Equal(t, 126, misspelt.Code, key)
		require.Contains(t, misspelt.Stderr, `"`+key+`" is misspelt: write port-restricter.port`)
	}
	require.Equal(t, listened, podman.listen(t, "5001").Code, "neither annotation nor metadata")

	n.configure(t, "podman", "--metadata", key+"=5000")
	require.Contains(t, podman.listen(t, "5001").Stderr, refusal)
	require.Equal(t, listened, podman.listen(t, "5000").Code)
	for name, says := range map[string]map[string]string{
		"CRI-O": likeCRIO, "containerd": likeContainerd,
	} {
		image := podman.image(t, union(says, map[string]string{
			typeOfCRIO: "sandbox", typeOfContainerd: "sandbox",
		}))
		require.Contains(t, podman.listenIn(t, image, "5001").Stderr, refusal, name)
	}

	// Without the precreate hook, the guard refuses the container.
	n.run(t, "rm", "/etc/port-restricter/podman/hooks.d/port-restricter-precreate.json")
	require.Contains(t, podman.listen(t, "5000").Stderr,
		"does not contain port-restricter's filter")
}

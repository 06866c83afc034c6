package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// passOn are the patterns of the annotations that containerd must pass on to the OCI
// runtime: by default it passes on none. The * of a pattern does not match the / in a key
// that names a container, so there are two patterns.
var passOn = []string{"[Pp]*[Rr]*[Ss]*[Tt]*", "[Pp]*[Rr]*[Ss]*[Tt]*/*"}

// eachContainerd runs a test with each version of containerd, configured as c says.
func eachContainerd(
	t *testing.T, c cri.Containerd, test func(t *testing.T, engine *cri.Engine),
) {
	for name, old := range map[string]bool{"1.6": true, "2.3": false} {
		t.Run(name, func(t *testing.T) {
			c.Old = old
			test(t, cri.StartContainerd(t, c))
		})
	}
}

// TestContainerdPodIsHeldByALocalhostProfile shows that a Localhost profile and an annotation
// are enough for containerd, that an annotation can name one container of a pod, and that no
// process starts without an agent.
func TestContainerdPodIsHeldByALocalhostProfile(t *testing.T) {
	eachContainerd(t, cri.Containerd{Annotations: passOn}, func(t *testing.T, engine *cri.Engine) {
		agent := runc.StartAgent(t)
		restricted := cri.Localhost(profile(t, agent))
		pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
		c := sleeping("web")
		c.Seccomp = restricted
		running := requirePodHeld(t, engine, pod, c)

		// The annotation names one container of the pod. The other one has no port.
		named := startPod(t, engine, cri.Pod{
			Annotations: map[string]string{key + "/other": "5001"},
		})
		other := sleeping("other")
		other.Seccomp = restricted
		requirePodServed(t, engine, startContainer(t, named, other), 5001)
		requirePodRefused(t, startContainer(t, named, c), 5001)

		agent.Stop(t)
		c.Name = "late"
		_, err := pod.Start(t, c)
		require.ErrorContains(t, err, agent.Socket, "a container starts without an agent")
		result, err := running.Exec(cri.Busybox, "true")
		require.True(t, err != nil || result.Code != 0, "exec works without an agent")
	})
}

// TestContainerdPodWithoutPassedOnAnnotationsBindsNothing shows that every port is denied if
// containerd is not configured to pass the annotations on, and that the agent's log names
// the annotation that is missing.
func TestContainerdPodWithoutPassedOnAnnotationsBindsNothing(t *testing.T) {
	eachContainerd(t, cri.Containerd{}, func(t *testing.T, engine *cri.Engine) {
		agent := runc.StartAgent(t)
		pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
		c := sleeping("web")
		c.Seccomp = cri.Localhost(profile(t, agent))
		requirePodRefused(t, startContainer(t, pod, c), 5000)
		require.Contains(t, agent.Log(t), key, "the log does not say what is missing")
	})
}

// TestContainerdPodCantSpeakForAnotherContainer shows that a container gets no port of
// another container of its pod by annotations that pretend to be containerd's own: the
// author of a pod can set any annotation and label.
func TestContainerdPodCantSpeakForAnotherContainer(t *testing.T) {
	everything := cri.Containerd{
		Annotations: append([]string{"io.kubernetes.*", "io.kubernetes.cri.*"}, passOn...),
	}
	eachContainerd(t, everything, func(t *testing.T, engine *cri.Engine) {
		agent := runc.StartAgent(t)
		pod := startPod(t, engine, cri.Pod{
			Annotations: map[string]string{
				key + "/web":                       "5001",
				"io.kubernetes.cri.container-name": "web",
				"io.kubernetes.container.name":     "web",
			},
			Labels: map[string]string{key: "5001", "io.kubernetes.container.name": "web"},
		})
		c := sleeping("db")
		c.Seccomp = cri.Localhost(profile(t, agent))
		requirePodRefused(t, startContainer(t, pod, c), 5001)
	})
}

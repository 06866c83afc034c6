package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// passOn is what containerd must be told: it keeps annotations to itself. A
// pattern's * does not cross the / of a key that names a container.
var passOn = []string{"port-restricter.*", "port-restricter.*/*"}

func eachContainerd(t *testing.T, c cri.Containerd, test func(t *testing.T, engine *cri.Engine)) {
	for name, old := range map[string]bool{"1.6": true, "2.3": false} {
		t.Run(name, func(t *testing.T) {
			c.Old = old
			test(t, cri.StartContainerd(t, c))
		})
	}
}

func TestContainerdPodIsHeldByALocalhostProfile(t *testing.T) {
	eachContainerd(t, cri.Containerd{Annotations: passOn}, func(t *testing.T, engine *cri.Engine) {
		agent := runc.StartAgent(t)
		ours := cri.Localhost(profile(t, agent))
		pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
		c := sleeping("web")
		c.Seccomp = ours
		running := requirePodHeld(t, engine, pod, c)

		// Another of the pod's containers has a port of its own, or none.
		named := startPod(t, engine, cri.Pod{Annotations: map[string]string{key + "/other": "5001"}})
		other := sleeping("other")
		other.Seccomp = ours
		requirePodServed(t, engine, startContainer(t, named, other), 5001)
		requirePodRefused(t, startContainer(t, named, c), 5001)

		agent.Stop(t)
		c.Name = "late"
		_, err := pod.Start(t, c)
		require.ErrorContains(t, err, agent.Socket, "without an agent no container starts")
		result, err := running.Exec(cri.Busybox, "true")
		require.True(t, err != nil || result.Code != 0, "exec works without an agent")
	})
}

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

func TestContainerdPodCantSpeakForAnotherContainer(t *testing.T) {
	eachContainerd(t, cri.Containerd{Annotations: append([]string{"io.kubernetes.*", "io.kubernetes.cri.*"}, passOn...)}, func(t *testing.T, engine *cri.Engine) {
		agent := runc.StartAgent(t)
		pod := startPod(t, engine, cri.Pod{
			Annotations: map[string]string{key + "/web": "5001", "io.kubernetes.cri.container-name": "web", "io.kubernetes.container.name": "web"},
			Labels:      map[string]string{key: "5001", "io.kubernetes.container.name": "web"},
		})
		c := sleeping("db")
		c.Seccomp = cri.Localhost(profile(t, agent))
		requirePodRefused(t, startContainer(t, pod, c), 5001)
	})
}

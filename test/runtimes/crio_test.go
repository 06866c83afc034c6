package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

func TestCRIOPodIsHeldByALocalhostProfile(t *testing.T) {
	engine := cri.StartCRIO(t, cri.CRIO{})
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
}

func TestCRIOPodCantSpeakForAnotherContainer(t *testing.T) {
	engine := cri.StartCRIO(t, cri.CRIO{})
	agent := runc.StartAgent(t)
	pod := startPod(t, engine, cri.Pod{
		Annotations: map[string]string{key + "/web": "5001", "io.kubernetes.container.name": "web", "io.kubernetes.cri.container-name": "web",
			"io.kubernetes.cri-o.ContainerType": "sandbox", "io.kubernetes.cri-o.Annotations": `{"` + key + `":"5001"}`},
		Labels: map[string]string{key: "5001", "io.kubernetes.container.name": "web", "io.kubernetes.cri-o.ContainerType": "sandbox"},
	})
	c := sleeping("db")
	c.Seccomp = cri.Localhost(profile(t, agent))
	requirePodRefused(t, startContainer(t, pod, c), 5001)
}

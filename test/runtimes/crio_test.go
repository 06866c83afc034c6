package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// TestCRIOPodIsHeldByALocalhostProfile shows that a Localhost profile and an annotation are
// enough for CRI-O, that an annotation can name one container of a pod, and that no process
// starts without an agent.
func TestCRIOPodIsHeldByALocalhostProfile(t *testing.T) {
	engine := cri.StartCRIO(t, cri.CRIO{})
	agent := runc.StartAgent(t)
	restricted := cri.Localhost(profile(t, agent))
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
	c := sleeping("web")
	c.Seccomp = restricted
	running := requirePodHeld(t, engine, pod, c)

	// The annotation names one container of the pod. The other one has no port.
	named := startPod(t, engine, cri.Pod{Annotations: map[string]string{key + "/other": "5001"}})
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
}

// TestCRIOPodCantSpeakForAnotherContainer shows that a container gets no port of another
// container of its pod by annotations that pretend to be CRI-O's own: the author of a pod can
// set any annotation and label.
func TestCRIOPodCantSpeakForAnotherContainer(t *testing.T) {
	engine := cri.StartCRIO(t, cri.CRIO{})
	agent := runc.StartAgent(t)
	pod := startPod(t, engine, cri.Pod{
		Annotations: map[string]string{
			key + "/web":                        "5001",
			"io.kubernetes.container.name":      "web",
			"io.kubernetes.cri.container-name":  "web",
			"io.kubernetes.cri-o.ContainerType": "sandbox",
			"io.kubernetes.cri-o.Annotations":   `{"` + key + `":"5001"}`,
		},
		Labels: map[string]string{
			key:                                 "5001",
			"io.kubernetes.container.name":      "web",
			"io.kubernetes.cri-o.ContainerType": "sandbox",
		},
	})
	c := sleeping("db")
	c.Seccomp = cri.Localhost(profile(t, agent))
	requirePodRefused(t, startContainer(t, pod, c), 5001)
}

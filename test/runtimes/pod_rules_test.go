package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

const podRules = `[[rule]]
namespace = "test"
container = "web*"
allow = "5000"
default = "5000"
[[rule]]
container = "db"
default = "unrestricted"
[[rule]]
default = "none" # the sandbox of a pod is nobody's
`

// requireHeldByRules requires that a pod without an annotation has what its rules say: the
// containers that one names are held, and neither the others nor the sandbox.
func requireHeldByRules(t *testing.T, engine *cri.Engine, agent *runc.Agent, handler string) {
	t.Helper()
	before := agent.Log(t)
	pod := startPod(t, engine, cri.Pod{Handler: handler})
	require.Equal(t, before, agent.Log(t), "the agent got the sandbox of a pod")
	requirePodHeld(t, engine, pod, sleeping("web"))
	require.Contains(t, agent.Log(t), `is not in default = \"5000\" of rule 1 (`)

	before = agent.Log(t)
	other := startContainer(t, pod, sleeping("db"))
	require.Equal(t, before, agent.Log(t), "the agent got a container that no rule restricts")
	requirePodServed(t, engine, other, 5001)

	asking := startPod(t, engine, cri.Pod{
		Handler: handler, Annotations: map[string]string{key: "5000-5001"},
	})
	_, err := asking.Start(t, sleeping("web"))
	require.ErrorContains(t, err, `5000-5001 is more than allow = "5000" of rule 1 (`)
	requirePodHeld(t, engine, startPod(t, engine, cri.Pod{
		Handler: handler, Annotations: map[string]string{key: "5000"},
	}), sleeping("web"))
}

func TestPodsOfAHandlerAreHeldByTheAdministratorsRules(t *testing.T) {
	variable := settings.PathVariable + "=" + rulesFile(t, podRules)
	behindPodShim(t, variable, func(t *testing.T, engine *cri.Engine, agent *runc.Agent) {
		requireHeldByRules(t, engine, agent, "shim")
	})
}

func TestPodsAreHeldByTheAdministratorsRulesWithNRI(t *testing.T) {
	rulesFile(t, podRules)
	agent := runc.StartAgent(t)
	engine := cri.StartContainerd(t, cri.Containerd{NRI: true})
	startPlugin(t, engine, agent)
	requireHeldByRules(t, engine, agent, "")
}

package runtimes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// behindPodShim runs a test with each engine of Kubernetes whose runtime handler "shim" is
// the shim, which has a variable in its environment.
func behindPodShim(
	t *testing.T, variable string, test func(t *testing.T, engine *cri.Engine, agent *runc.Agent),
) {
	agent := runc.StartAgent(t)
	env := []string{"PORT_RESTRICTER_LISTENER=" + agent.Socket, variable}
	t.Run("CRI-O", func(t *testing.T) {
		test(t, cri.StartCRIO(t, cri.CRIO{Shim: runc.Shim(t), Env: env}), agent)
	})
	t.Run("containerd", func(t *testing.T) {
		c := cri.Containerd{Shim: runc.Shim(t), Env: env, Annotations: passOn}
		eachContainerd(t, c, func(t *testing.T, engine *cri.Engine) { test(t, engine, agent) })
	})
}

const metadata = "PORT_RESTRICTER_METADATA="

// TestThePodOfAHandlerIsHeldToTheMetadata shows that the administrator's limit holds a
// container that nobody annotated, and leaves the pod's sandbox alone, which needs no agent.
func TestThePodOfAHandlerIsHeldToTheMetadata(t *testing.T) {
	const limit = key + "=5000"
	behindPodShim(t, metadata+limit, func(t *testing.T, engine *cri.Engine, agent *runc.Agent) {
		before := agent.Log(t)
		pod := startPod(t, engine, cri.Pod{Handler: "shim"})
		require.Equal(t, before, agent.Log(t), "the agent got the sandbox of a pod")
		requirePodHeld(t, engine, pod, sleeping("web"))
	})
}

// TestAKeyForANameLeavesOtherContainersOfThePodAlone shows that the shim knows the name of a
// pod's container by what its engine wrote into config.json.
func TestAKeyForANameLeavesOtherContainersOfThePodAlone(t *testing.T) {
	behindPodShim(t, metadata, func(t *testing.T, engine *cri.Engine, agent *runc.Agent) {
		pod := startPod(t, engine, cri.Pod{
			Handler: "shim", Annotations: map[string]string{key + "/web": "5000"},
		})
		requirePodRefused(t, startContainer(t, pod, sleeping("web")), 5001)
		before := agent.Log(t)
		db := startContainer(t, pod, sleeping("db"))
		require.Equal(t, before, agent.Log(t), "the agent got a container that no key is for")
		requirePodServed(t, engine, db, 5001)
	})
}

// TestAMisspeltKeyRefusesTheContainerOfAPod shows that a slip of the pen in a pod's annotation
// does not leave its containers without a limit, and that the engine's user reads why.
func TestAMisspeltKeyRefusesTheContainerOfAPod(t *testing.T) {
	behindPodShim(t, metadata, func(t *testing.T, engine *cri.Engine, agent *runc.Agent) {
		for _, key := range []string{"port-restrictor.port", "Port-Restricter.port"} {
			pod, err := engine.Run(t, cri.Pod{
				Handler: "shim", Annotations: map[string]string{key: "5000"},
			})
			if err == nil { // the sandbox may start
				_, err = pod.Start(t, sleeping("web"))
			}
			require.ErrorContains(t, err, `"`+key+`" is misspelt: write port-restricter.port`)
			require.Regexp(t, `"by":"port-restricter-runtime".*`+key, agent.Log(t))
		}
	})
}

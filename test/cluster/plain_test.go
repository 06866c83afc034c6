package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
)

// TestAPlainClusterRestrictsNothing shows that the cluster works before port-restricter is there,
// for pods in the node's network and in one of their own.
func TestAPlainClusterRestrictsNothing(t *testing.T) {
	for _, e := range []engine{containerd, crio} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			n := start(t, e)
			for name, host := range map[string]string{"node": "true", "own": "false"} {
				n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: ` + name + `}
spec:
  hostNetwork: ` + host + `
  containers: [{name: web, image: "` + cri.Image + `", imagePullPolicy: Never}]
`)
			}
			n.await("", "wait", "--for=condition=Ready", "pod/node", "pod/own")
			for _, name := range []string{"node", "own"} {
				bound := n.kubectl("", "exec", name, "--", cri.Busybox, "timeout", "1",
					cri.Busybox, "nc", "-l", "-p", "9090")
				require.Equal(t, 143, bound.code, bound.stderr) // by SIGTERM: it listened
			}
		})
	}
}

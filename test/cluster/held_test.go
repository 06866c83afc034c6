package cluster

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
)

// refusal is what a program prints whose bind was refused.
const refusal = "Operation not permitted"

// start returns a cluster of one node.
func start(t *testing.T, e engine) node {
	t.Helper()
	n := boot(t)
	n.startControlPlane()
	n.startEngine(e)
	n.startKubelet(e)
	return n
}

// A way is a kustomization by which a cluster with an engine is held.
type way struct {
	engine
	kustomization string // below deploy/kubernetes
}

// TestWhatIsDeclaredIsEnforced installs port-restricter in a cluster, holds its pods to what they
// declare, goes on to another version under load, and takes everything back.
func TestWhatIsDeclaredIsEnforced(t *testing.T) {
	for _, w := range []way{{containerd, ""}, {crio, "crio"}} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			n := start(t, w.engine)
			before := n.state()
			n.install(w)
			n.declare(w)
			n.requireHeld()
			n.requireRange()
			n.requireUpgradeUnderLoad(w)
			n.uninstall(w)
			require.Equal(t, before, n.state(), "uninstalling leaves the node as it was")
		})
	}
}

// install installs port-restricter, and waits for the node's label.
func (n node) install(w way) {
	n.t.Helper()
	n.loadNodeImage(w, "latest")
	n.succeed("", "apply", "-k", kustomization(w.kustomization))
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
	n.await("", "wait", "node/"+nodeName,
		"--for=jsonpath={.metadata.labels.port-restricter\\.io/ready}=true")
}

func kustomization(name string) string {
	return filepath.Join("../../deploy/kubernetes", name)
}

// workload is a deployment whose container declares port 8080 and tries port 9090 first.
const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: held}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: ` + cri.Image + `
        imagePullPolicy: Never
        command: [/bin/busybox, sh, -c, "busybox httpd -f -p 9090; exec busybox httpd -f -p 8080"]
        ports: [{containerPort: 8080}]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
`

// declare makes the namespace held one in which what is declared is enforced.
func (n node) declare(w way) {
	n.t.Helper()
	n.succeed("", "apply", "-k", kustomization("declared"))
	n.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: held, labels: {port-restricter.io/declared: enforce}}
`)
	n.await("", "wait", "--for=create", "serviceaccount/default", "-n", "held")
}

// requireHeld requires that a pod which declares a port serves it, and can bind no other one.
func (n node) requireHeld() {
	n.t.Helper()
	n.apply(workload)
	n.await("", "-n", "held", "rollout", "status", "deployment/web")
	require.Contains(n.t, n.succeed("", "-n", "held", "logs", "deployment/web"), refusal)
	exec := func(port string) finished {
		return n.kubectl("", "-n", "held", "exec", "deployment/web", "--",
			cri.Busybox, "timeout", "5", cri.Busybox, "nc", "-l", "-p", port)
	}
	require.Contains(n.t, exec("8080").stderr, "Address already in use")
	refused := exec("9090")
	require.Contains(n.t, refused.stderr, refusal)
	require.NotZero(n.t, refused.code)
	n.prints("PortDenied", "-n", "held", "events")
}

// requireRange requires that a namespace can't have ports out of its range.
func (n node) requireRange() {
	n.t.Helper()
	n.succeed("", "-n", "port-restricter-declared", "patch", "configmap/ranges",
		"--patch", `{"data": {"other": "7000-7999"}}`)
	n.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: other, labels: {port-restricter.io/declared: enforce}}
`)
	n.await("", "wait", "--for=create", "serviceaccount/default", "-n", "other")
	const pod = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: other}
spec:
  containers:
  - {name: web, image: "` + cri.Image + `", ports: [{containerPort: %d}]}
`
	n.succeed(fmt.Sprintf(pod, 7001), "create", "--dry-run=server", "-f", "-")
	refused := n.kubectl(fmt.Sprintf(pod, 8080), "create", "--dry-run=server", "-f", "-")
	require.NotZero(n.t, refused.code)
	require.Contains(n.t, refused.stderr, "7000-7999")
}

// requireUpgradeUnderLoad requires that no bind fails while another version is rolled out.
func (n node) requireUpgradeUnderLoad(w way) {
	n.t.Helper()
	load := filepath.Join(n.t.TempDir(), "load")
	out, err := exec.Command("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", load,
		"testdata/load.c").CombinedOutput()
	require.NoError(n.t, err, "%s", out)
	n.copy(load, "/run/load/load")
	n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: load, namespace: held}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - name: load
    image: ` + cri.Image + `
    imagePullPolicy: Never
    command: [/load/load, "8081"]
    ports: [{containerPort: 8081}]
    volumeMounts: [{name: load, mountPath: /load}]
  volumes: [{name: load, hostPath: {path: /run/load}}]
`)
	n.await("", "-n", "held", "wait", "--for=condition=Ready", "pod/load")
	n.loadNodeImage(w, "next")
	before := n.binds()
	n.succeed("", "-n", "port-restricter", "set", "image", "daemonset/node", "*="+nodeImage+":next")
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
	after := n.binds()
	require.Greater(n.t, after, before)
	require.Eventually(n.t, func() bool { return n.binds() > after },
		patience, 100*time.Millisecond, "no bind is done after the upgrade")
	require.Equal(n.t, "Running",
		n.succeed("", "-n", "held", "get", "pod/load", "-o", "jsonpath={.status.phase}"))
}

// binds returns how often the load has bound its port.
func (n node) binds() int {
	n.t.Helper()
	lines := strings.Fields(n.succeed("", "-n", "held", "logs", "load", "--tail=1"))
	if len(lines) == 0 {
		return 0
	}
	count, err := strconv.Atoi(lines[len(lines)-1])
	require.NoError(n.t, err, "%v", lines)
	return count
}

// uninstall takes back what install did. It is refused while a container is held.
func (n node) uninstall(w way) {
	n.t.Helper()
	n.succeed("", "delete", "namespace", "held", "other")
	n.succeed("", "delete", "-k", kustomization("declared"))
	n.succeed("", "apply", "-k", kustomization("uninstall"))
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
	n.succeed("", "delete", "-k", kustomization("uninstall"))
}

const nodeImage = "ghcr.io/port-restricter/node"

// loadNodeImage loads the image that make image has made into the node, with a tag.
func (n node) loadNodeImage(w way, tag string) {
	n.t.Helper()
	n.loadImage(w.engine, "../../bin/image/port-restricter-node.tar", nodeImage+":"+tag)
}

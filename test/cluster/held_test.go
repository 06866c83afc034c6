package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/booted"
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
			if w.kustomization == "" {
				n.requirePlugin()
			}
			n.requireUpgradeUnderLoad(w)
			n.uninstall(w)
			require.Equal(t, before, n.state(), "uninstalling leaves the node as it was")
		})
	}
}

// install installs port-restricter, and waits for the node's label.
func (n node) install(w way) {
	n.t.Helper()
	n.loadNodeImage(w)
	n.succeed("", "apply", "-k", kustomization(w.kustomization))
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
	n.await("", "wait", "node/"+nodeName,
		"--for=jsonpath={.metadata.labels.port-restricter\\.io/ready}=true")
	n.succeed("", "apply", "-k", kustomization("events"))
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/events")
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

// declared returns the kustomization of the policies. With a runtime class, it is one's own, as
// docs/admission.md says.
func (w way) declared(t *testing.T) string {
	t.Helper()
	if w.kustomization == "" {
		return kustomization("declared")
	}
	dir := t.TempDir()
	absolute, err := filepath.Abs(kustomization("declared"))
	require.NoError(t, err)
	relative, err := filepath.Rel(dir, absolute)
	require.NoError(t, err)
	text := fmt.Sprintf("resources: [%s]\ncomponents: [%s/runtime-class]\n", relative, relative)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644))
	return dir
}

// declare makes the namespace held one in which what is declared is enforced.
func (n node) declare(w way) {
	n.t.Helper()
	n.succeed("", "apply", "-k", w.declared(n.t))
	n.succeed("", "-n", "port-restricter-declared", "create", "configmap", "ranges")
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

// requirePlugin requires that no pod starts while the NRI plugin is away.
func (n node) requirePlugin() {
	n.t.Helper()
	n.Sh("systemctl stop port-restricter-nri")
	n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: held}
spec:
  containers: [{name: web, image: "` + cri.Image + `", imagePullPolicy: Never}]
`)
	n.prints(`required plugin "port-restricter" not present`, "-n", "held", "describe", "pod/late")
	n.Sh("systemctl start port-restricter-nri")
	n.await("", "-n", "held", "wait", "--for=condition=Ready", "pod/late")
	n.succeed("", "-n", "held", "delete", "pod/late")
}

// requireUpgradeUnderLoad requires that no bind fails while another version is rolled out.
func (n node) requireUpgradeUnderLoad(w way) {
	n.t.Helper()
	load := filepath.Join(n.t.TempDir(), "load")
	booted.Run(n.t,
		"gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", load, "testdata/load.c")
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
	n.loadNextImage(w)
	agent := func() string { return n.Sh("systemctl show --property MainPID port-restricter") }
	before, former := n.binds(), agent()
	n.succeed("", "-n", "port-restricter", "set", "image", "daemonset/node", "*="+nodeImage+"next")
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
	after := n.binds()
	require.Greater(n.t, after, before)
	require.NotEqual(n.t, former, agent(), "the upgrade restarts the agent")
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
	n.succeed("", "delete", "-k", w.declared(n.t))
	n.succeed("", "delete", "-k", kustomization("events"))
	n.succeed("", "apply", "-k", kustomization("uninstall"))
	n.prints("containers are held",
		"-n", "port-restricter", "logs", "daemonset/node", "-c", "install")
	bound := n.binds()
	require.Eventually(n.t, func() bool { return n.binds() > bound },
		patience, 100*time.Millisecond, "no bind is done after an uninstallation was refused")
	n.succeed("", "delete", "namespace", "held", "other")
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
	log := n.succeed("", "-n", "port-restricter", "logs", "daemonset/node", "-c", "install")
	require.Contains(n.t, log, "nothing is left on this node")
	n.succeed("", "delete", "-k", kustomization("uninstall"))
}

// nodeImage is the image of deploy/kubernetes, without its tag.
const nodeImage = "ghcr.io/port-restricter/node:"

// loadNodeImage loads the image that make image has made, with the tag latest.
func (n node) loadNodeImage(w way) {
	n.t.Helper()
	archive := filepath.Join(n.t.TempDir(), "latest.tar")
	booted.Run(n.t, "skopeo", "--insecure-policy", "copy",
		"oci-archive:../../bin/image/port-restricter-node.tar",
		"docker-archive:"+archive+":"+nodeImage+"latest")
	n.loadImage(w.engine, archive, nodeImage+"latest")
}

// loadNextImage loads another version of the image, with the tag next. Its programs are the same to
// the kernel, and not to the installer.
func (n node) loadNextImage(w way) {
	n.t.Helper()
	dir := n.t.TempDir()
	booted.Run(n.t, "sh", "-ec", `
		storage=$(mktemp -d) # podman takes no long path
		trap 'rm -rf "$storage"' EXIT
		cp -r ../../bin/image/`+runtime.GOARCH+`/root "$0/root"
		for program in port-restricter port-restricter-admin port-restricter-nri; do
			echo another version >>"$0/root/tree/usr/bin/$program"
		done
		podman() {
			command podman --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"
		}
		podman build --quiet --network none --tag "$1" \
			--file ../../deploy/kubernetes/image/Containerfile "$0/root"
		podman save --quiet --output "$0/next.tar" "$1"`, dir, nodeImage+"next")
	n.loadImage(w.engine, filepath.Join(dir, "next.tar"), nodeImage+"next")
}

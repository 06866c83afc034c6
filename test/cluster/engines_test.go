package cluster

import (
	"fmt"
	"path/filepath"

	"github.com/port-restricter/port-restricter/test/cri"
)

// An engine is a CRI engine of a node, configured as its packages would, and for the machine that
// runs the tests.
type engine struct {
	name, socket, config, settings string
	command                        []string
	load                           func(n node, image, name string) // from a docker-archive
}

var containerd = engine{
	name:   "containerd",
	socket: "/run/containerd/containerd.sock",
	config: "/etc/containerd/config.toml",
	// containerd takes its own shim, containerd-shim-runc-v2, from PATH.
	command: []string{"/usr/bin/env", "PATH=/tools:/usr/sbin:/usr/bin:/sbin:/bin",
		"/tools/containerd"},
	// A machine that runs tests may refuse a negative oom_score_adj even to root.
	settings: `version = 3
[plugins."io.containerd.cri.v1.images"]
snapshotter = "native"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "` + cri.Image + `"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
[plugins."io.containerd.nri.v1.nri".default_validator]
enable = true
`,
	load: func(n node, image, name string) {
		n.Sh("ctr --namespace k8s.io images import --snapshotter native " + image)
	},
}

var crio = engine{
	name:    "crio",
	socket:  "/run/crio/crio.sock",
	config:  "/etc/crio/crio.conf",
	command: []string{"/tools/crio"},
	settings: `[crio]
storage_driver = "overlay"
[crio.image]
pause_image = "` + cri.Image + `"
pause_command = ""
[crio.network]
plugin_dirs = ["/usr/lib/cni"]
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
selinux = false
pids_limit = -1
pinns_path = "/tools/pinns"
default_runtime = "runc"
[crio.runtime.runtimes.runc]
runtime_path = "/usr/local/libexec/runc-for-tests"
runtime_type = "oci"
monitor_path = "/usr/bin/conmon"
monitor_cgroup = "pod"
`,
	load: func(n node, image, name string) {
		n.Sh(fmt.Sprintf("skopeo --policy /etc/crio/policy.json copy docker-archive:%s"+
			" 'containers-storage:[overlay@/var/lib/containers/storage+/run/containers/storage]%s'",
			image, name))
	},
}

// network is a bridge of the node, to which its pods are connected.
const network = `{
	"cniVersion": "1.0.0", "name": "pods",
	"plugins": [{
		"type": "bridge", "bridge": "pods", "isGateway": true,
		"ipam": {
			"type": "host-local", "ranges": [[{"subnet": "10.8.0.0/24"}]],
			"routes": [{"dst": "0.0.0.0/0"}]
		}
	}]
}`

// startEngine starts the engine on the node, with the image of busybox.
func (n node) startEngine(e engine) {
	n.t.Helper()
	n.write("/etc/cni/net.d/10-pods.conflist", network)
	n.write(e.config, e.settings)
	if e.name == crio.name {
		n.write("/etc/crio/policy.json", `{"default": [{"type": "insecureAcceptAnything"}]}`)
		n.write("/usr/local/libexec/runc-for-tests", cri.EditingRunc)
	}
	n.service("notify", e.name, e.command...)
	archive := filepath.Join(n.t.TempDir(), "image.tar")
	cri.WriteImage(n.t, archive)
	n.loadImage(e, archive, cri.Image)
}

// loadImage loads an image, which is in a file of the test, into the engine of the node.
func (n node) loadImage(e engine, archive, name string) {
	n.t.Helper()
	n.copy(archive, "/run/image.tar")
	e.load(n, "/run/image.tar", name)
	n.Sh("rm /run/image.tar")
}

// startKubelet makes the node a member of the cluster.
func (n node) startKubelet(e engine) {
	n.t.Helper()
	n.write("/etc/kubernetes/kubelet.yaml", fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://%s
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
resolvConf: ""
evictionHard: {memory.available: "0%%", nodefs.available: "0%%", imagefs.available: "0%%"}
imageGCHighThresholdPercent: 100
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
`, e.socket))
	n.service("notify", "kubelet", "/tools/kubelet", "--kubeconfig="+kubeconfig("kubelet"),
		"--config=/etc/kubernetes/kubelet.yaml", "--node-ip="+nodeIP,
		"--hostname-override="+nodeName)
	n.await("", "wait", "--for=create", "node/"+nodeName)
	n.await("", "wait", "--for=condition=Ready", "node/"+nodeName)
	n.await("", "wait", "--for=create", "serviceaccount/default")
}

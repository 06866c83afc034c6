package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/booted"
	"github.com/port-restricter/port-restricter/test/cri"
)

// A walk goes through the commands of docs/kubernetes.md, on a machine with deploy/ and bin/chart
// in the directory dir.
type walk struct {
	node
	dir    string
	steps  map[string][]step
	walked []string // sections
	env    []string
	// instead has what is done in the place of a command, before has what is done before one.
	instead, before map[string]func()
}

// example replaces what stands for a reader's own in the page. The image of the tests has one
// program, and is in no registry.
var example = strings.NewReplacer(
	"REGISTRY/node:VERSION", nodeImage+"latest",
	"REGISTRY/node:NEWER", nodeImage+"next",
	"image: busybox", "imagePullPolicy: Never, image: '"+cri.Image+"'",
	"[sleep,", "["+cri.Busybox+", sleep,",
	"-- nc", "-- "+cri.Busybox+" nc",
)

// TestThePageIsRight runs each command of docs/kubernetes.md, in the order of the page. Each must
// succeed, and print what it prints there.
func TestThePageIsRight(t *testing.T) {
	steps, sections := readPage(t, "../../docs/kubernetes.md")
	n := start(t, containerd)
	before := n.state()
	w := newWalk(n, steps)
	nri := way{containerd, ""}

	const images = "make image && skopeo copy --all" +
		" oci-archive:bin/image/port-restricter-node.tar docker://REGISTRY/node:VERSION"
	w.instead[images] = func() { n.loadNodeImage(nri) } // there is no registry
	const failed = "kubectl -n port-restricter get pods"
	w.before[failed] = func() { w.enableNRI(false) }
	const served = "kubectl exec web -- nc -l -p 8080 &"
	w.before[served] = func() { n.await("", "wait", "--for=condition=Ready", "pod/web") }
	const end = "kubectl delete pod web"
	w.before[end] = func() {
		n.prints(":8080 ", "exec", "web", "--", cri.Busybox, "netstat", "-ltn")
	}

	w.through("Install")
	w.enableNRI(true)
	w.through("Try a pod")
	require.NotZero(t, n.kubectl("", "get", "pod", "web").code, "the page deletes its pod")
	n.loadNextImage(nri)
	w.through("Upgrade")
	require.Equal(t, nodeImage+"next", n.succeed("", "-n", "port-restricter", "get", "daemonset",
		"node", "-o", "jsonpath={.spec.template.spec.initContainers[0].image}"))
	w.through("Uninstall")
	require.Equal(t, before, n.state())

	w.through("An engine without NRI")
	n.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
	require.Contains(t, n.Sh("cat /etc/containerd/conf.d/*"), "port-restricter")
	n.succeed("", "delete", "runtimeclass", "port-restricter")
	w.through("Uninstall")
	require.Equal(t, before, n.state())

	w.makeChart()
	w.through("Helm")
	require.Equal(t, before, n.state())

	for _, section := range sections {
		require.Contains(t, w.walked, section, "a command of the page is not run")
	}
	require.Empty(t, w.instead, "the page has no such command")
	require.Empty(t, w.before, "the page has no such command")
}

func newWalk(n node, steps map[string][]step) *walk {
	n.t.Helper()
	w := &walk{
		node: n, dir: n.t.TempDir(), steps: steps,
		instead: map[string]func(){}, before: map[string]func(){},
	}
	tools, err := filepath.Abs("../../.cache/tools")
	require.NoError(n.t, err)
	require.NoError(n.t, os.CopyFS(filepath.Join(w.dir, "deploy"), os.DirFS("../../deploy")))
	w.env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"), "HOME="+n.t.TempDir(),
		"KUBECONFIG="+n.adminConfig())
	return w
}

// makeChart does what make chart does. The programs of the tests, which are built without a version
// of Kubernetes, have none that a chart could require.
func (w *walk) makeChart() {
	w.t.Helper()
	dir := filepath.Join(w.dir, "bin/chart")
	booted.Run(w.t, "../../deploy/kubernetes/chart/make.sh", "v1.2.3", nodeImage+"latest", dir)
	booted.Run(w.t, "sh", "-ec", `sed -i /^kubeVersion:/d "$0/port-restricter/Chart.yaml"
		../../.cache/tools/helm package "$0/port-restricter" --destination "$0"`, dir)
}

// through runs the commands of a section.
func (w *walk) through(section string) {
	w.t.Helper()
	require.NotEmpty(w.t, w.steps[section], section)
	w.walked = append(w.walked, section)
	for _, s := range w.steps[section] {
		if other := w.instead[s.command]; other != nil {
			delete(w.instead, s.command)
			other()
			continue
		}
		if first := w.before[s.command]; first != nil {
			delete(w.before, s.command)
			first()
		}
		w.run(s)
	}
}

// run runs a command. One that prints something is repeated until it does.
func (w *walk) run(s step) {
	w.t.Helper()
	command, background := strings.CutSuffix(example.Replace(s.command), " &")
	if strings.Contains(command, "node-7x2bn") {
		pod := w.succeed("", "-n", "port-restricter", "get", "pods", "-o",
			"jsonpath={.items[0].metadata.name}")
		command = strings.ReplaceAll(command, "node-7x2bn", pod)
	}
	if background {
		started := w.command(command)
		require.NoError(w.t, started.Start())
		w.t.Cleanup(func() {
			_ = syscall.Kill(-started.Process.Pid, syscall.SIGKILL)
			_ = started.Wait()
		})
		return
	}
	var out []byte
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		var err error
		out, err = w.command(command).CombinedOutput()
		if len(s.prints) == 0 {
			require.NoError(w.t, err, "%s: %s", command, out)
			return
		}
		if s.isIn(out) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s prints something else than in the page: %s", command, out)
		}
	}
}

// command returns a command on the machine of an administrator. It ends within patience.
func (w *walk) command(script string) *exec.Cmd {
	w.t.Helper()
	command := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", w.PID), "--",
		"timeout", fmt.Sprint(patience.Seconds()), "sh", "-ec", script)
	command.Dir, command.Env = w.dir, w.env
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return command
}

// enableNRI configures NRI in containerd, and lets the installer run again.
func (w *walk) enableNRI(enabled bool) {
	w.t.Helper()
	disable := "\n[plugins.'io.containerd.nri.v1.nri']\ndisable = true\n"
	if enabled {
		disable = ""
	}
	w.write(containerd.config, containerd.settings+disable)
	w.Sh("systemctl stop containerd; rm -f /run/nri/nri.sock; systemctl start containerd")
	w.succeed("", "-n", "port-restricter", "delete", "pods", "--all")
	if enabled {
		w.await("", "-n", "port-restricter", "rollout", "status", "daemonset/node")
		w.await("", "wait", "node/"+nodeName,
			"--for=jsonpath={.metadata.labels.port-restricter\\.io/ready}=true")
	}
}

package admission

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/port-restricter/port-restricter/test/runc"
)

const (
	busybox  = "/bin/busybox"
	nodeName = "node"
	denied   = "PortDenied"
)

// A reporter is a running port-restricter-events, with the rights that its ClusterRole gives.
type reporter struct {
	socket string // a link to the control socket of the agent
	log    string
	*exec.Cmd
}

func startReporter(t *testing.T) *reporter {
	t.Helper()
	kubectl(t, "apply", "-k", "../../deploy/kubernetes/events")
	dir := t.TempDir()
	text, err := os.ReadFile(kubeconfig)
	require.NoError(t, err)
	own := filepath.Join(dir, "kubeconfig")
	write(own, strings.Replace(string(text), `as: ""`,
		"as: system:serviceaccount:port-restricter:events", 1))
	r := &reporter{socket: filepath.Join(dir, "socket"), log: filepath.Join(dir, "log")}
	log, err := os.Create(r.log)
	require.NoError(t, err)
	defer log.Close()
	r.Cmd = exec.Command("../../bin/port-restricter-events",
		"--kubeconfig", own, "--socket", r.socket, "--node", nodeName)
	r.Stderr = log
	r.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, r.Start())
	t.Cleanup(func() {
		_ = r.Process.Signal(syscall.SIGTERM)
		require.NoError(t, r.Wait())
		if t.Failed() {
			t.Log(r.read(t))
		}
	})
	return r
}

func (r *reporter) read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(r.log)
	require.NoError(t, err)
	return string(text)
}

// follow makes the program read the events of another agent, and waits until it does.
func (r *reporter) follow(t *testing.T, agent *runc.Agent) {
	t.Helper()
	_ = os.Remove(r.socket)
	require.NoError(t, os.Symlink(agent.ControlSocket(), r.socket))
	require.Eventually(t, func() bool { return agent.Readers(t) > 0 }, patience, patience/1000)
}

// start starts a container of a pod as containerd would.
func start(t *testing.T, agent *runc.Agent, namespace, pod, ports string) *runc.Container {
	t.Helper()
	c := runc.New(t, runc.Config{
		Rootfs: runc.Rootfs(t), Args: []string{busybox, "sleep", "600"}, Seccomp: agent.Profile(t),
		Annotations: map[string]string{
			"io.kubernetes.cri.container-type":    "container",
			"io.kubernetes.cri.container-name":    "web",
			"io.kubernetes.cri.sandbox-name":      pod,
			"io.kubernetes.cri.sandbox-namespace": namespace,
			key + "/web":                          ports,
		},
	})
	require.NoError(t, c.Start(t))
	return c
}

// refuse makes a process of a container bind a port that it may not.
func refuse(t *testing.T, c *runc.Container, port string) {
	t.Helper()
	require.Contains(t, runc.Finish(t, c.Exec(t, busybox, "nc", "-l", "-p", port)).Stderr,
		"Operation not permitted")
}

// createOnNode creates a pod on the node, and returns it.
func createOnNode(t *testing.T, name string) *v1.Pod {
	t.Helper()
	p := pod{name: name, containers: []string{"web 8080"}}.build()
	p.Spec.NodeName = nodeName
	created, err := as(t, "tenant").Pods("enforced").Create(t.Context(), p, meta.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { remove(t, name) })
	return created
}

func remove(t *testing.T, name string) {
	t.Helper()
	kubectl(t, "-n", "enforced", "delete", "pod", name, "--force", "--ignore-not-found")
}

// tell writes the id of the pod's container as the kubelet does.
func tell(t *testing.T, p *v1.Pod, c *runc.Container) {
	t.Helper()
	p.Status.ContainerStatuses = []v1.ContainerStatus{{
		Name: "web", Image: "image", ContainerID: "containerd://" + c.State(t).ID,
	}}
	_, err := as(t, "admin").Pods(p.Namespace).UpdateStatus(t.Context(), p, meta.UpdateOptions{})
	require.NoError(t, err)
}

// eventsOf returns the events of a pod.
func eventsOf(t *testing.T, p *v1.Pod) (found []v1.Event) {
	t.Helper()
	all, err := as(t, "admin").Events(p.Namespace).List(t.Context(), meta.ListOptions{
		FieldSelector: "involvedObject.uid=" + string(p.UID),
	})
	require.NoError(t, err)
	return all.Items
}

// await waits for events of a pod that are as they should be.
func await(t *testing.T, p *v1.Pod, right func([]v1.Event) bool) []v1.Event {
	t.Helper()
	require.Eventually(t, func() bool { return right(eventsOf(t, p)) }, patience, patience/1000,
		"%v", eventsOf(t, p))
	return eventsOf(t, p)
}

func some(events []v1.Event) bool { return len(events) > 0 }

// A refused bind is an event of its pod, which kubectl shows, and counts if it comes again. The
// program waits for an agent, and for the next one.
func TestARefusalIsAnEventOfItsPod(t *testing.T) {
	install(t)
	r := startReporter(t)
	agent := runc.StartQuietAgent(t)
	r.follow(t, agent)

	p := createOnNode(t, "web")
	c := start(t, agent, "enforced", "web", "8080/tcp")
	refuse(t, c, "9090")
	tell(t, p, c) // later than the refusal, as the kubelet does
	first := await(t, p, some)[0]
	require.Equal(t, denied, first.Reason)
	require.Equal(t, v1.EventTypeWarning, first.Type)
	require.Equal(t, "spec.containers{web}", first.InvolvedObject.FieldPath)
	require.Equal(t, "container web: busybox was refused a bind: port 9090/tcp at :: is not in "+
		"port-restricter.port/web=8080/tcp", first.Message)
	require.Equal(t, v1.EventSource{Component: "port-restricter", Host: nodeName}, first.Source)
	require.Contains(t, kubectl(t, "-n", "enforced", "describe", "pod", "web"),
		"PortDenied")

	refuse(t, c, "9090")
	await(t, p, func(events []v1.Event) bool { return len(events) == 1 && events[0].Count == 2 })

	agent.Stop(t)
	next := runc.StartQuietAgent(t)
	r.follow(t, next)
	again := createOnNode(t, "again")
	d := start(t, next, "enforced", "again", "8080/tcp")
	tell(t, again, d)
	refuse(t, d, "9090")
	await(t, again, some)
}

// A container that is refused without end makes few events, and its texts are no more than texts.
func TestAContainerCantFloodEvents(t *testing.T) {
	install(t)
	r := startReporter(t)
	agent := runc.StartQuietAgent(t)
	r.follow(t, agent)
	p := createOnNode(t, "web")
	c := start(t, agent, "enforced", "web", "8080/tcp")
	tell(t, p, c)
	script := `name=$(/bin/busybox printf '/tmp/busybox\033[\nX')
		/bin/busybox cp /bin/busybox "$name"
		for i in $(/bin/busybox seq 300); do "$name" nc -l -p $i; done`
	runc.Finish(t, c.Exec(t, busybox, "sh", "-c", script))
	found := await(t, p, func(events []v1.Event) bool { return len(events) >= 10 })
	require.LessOrEqual(t, len(found), 11)
	for _, e := range found {
		require.NotContains(t, e.Message, "\x1b")
		require.NotContains(t, e.Message, "\n")
		require.Contains(t, e.Message, `busybox\x1b[\nX`)
	}
}

// A pod has no events of an earlier pod of its name, nor of a container that claims to be its own.
func TestAPodHasOnlyItsOwnEvents(t *testing.T) {
	install(t)
	r := startReporter(t)
	agent := runc.StartQuietAgent(t)
	r.follow(t, agent)
	before := createOnNode(t, "web")
	old := start(t, agent, "enforced", "web", "8080/tcp")
	tell(t, before, old)
	refuse(t, old, "9090")
	await(t, before, some)

	remove(t, "web")
	after, other := createOnNode(t, "web"), createOnNode(t, "other")
	refuse(t, old, "9091") // the container has not ended yet
	c := start(t, agent, "enforced", "other", "8080/tcp")
	tell(t, other, c)
	refuse(t, c, "9090") // later than the old one's
	await(t, other, some)
	require.Empty(t, eventsOf(t, after))
}

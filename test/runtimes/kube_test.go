package runtimes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// configuredPodman returns podman on a node where port-restricter configure podman has run.
func configuredPodman(t *testing.T, agent *runc.Agent) *podmanEngine {
	t.Helper()
	n := newNode(t, "listener = '"+agent.Socket+"'", "", "/etc/containers/containers.conf.d")
	n.configure(t, "podman")
	// By default podman sets the largest limits, which a machine may refuse even to root.
	n.run(t, "sh", "-c", `echo '[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]' \
		>/etc/containers/containers.conf.d/ulimits.conf`)
	return newPodman(t, "runc", n.World)
}

// kubePlay runs podman kube play for a pod, mypod, with the annotations and with a container for
// each name. Each container sleeps.
func (p *podmanEngine) kubePlay(
	t *testing.T, annotations map[string]string, containers ...string,
) runc.Result {
	t.Helper()
	text := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: mypod\n  annotations:\n"
	for key, value := range annotations {
		text += fmt.Sprintf("    %s: %q\n", key, value)
	}
	text += "spec:\n  containers:\n"
	for _, name := range containers {
		text += fmt.Sprintf("  - {name: %s, image: %s, imagePullPolicy: Never,"+
			" command: [%s, sleep, \"600\"]}\n", name, p.kubeImage(t), busybox)
	}
	return p.play(t, text)
}

func (p *podmanEngine) play(t *testing.T, text string) runc.Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pod.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return p.do(t, "kube", "play", "--network", "none", path)
}

// kubeImage returns the name of an image with busybox.
func (p *podmanEngine) kubeImage(t *testing.T) string {
	t.Helper()
	const name = "localhost/kube"
	if p.do(t, "image", "exists", name).Code != 0 {
		require.Zero(t, p.do(t, "tag", p.image(t, nil), name).Code)
	}
	return name
}

// requireListens requires that a process in the running container can listen on the allowed port,
// and not on the forbidden one.
func (p *podmanEngine) requireListens(t *testing.T, container, allowed, forbidden string) {
	t.Helper()
	listen := func(port string) runc.Result {
		return p.do(t, "exec", container, busybox, "timeout", "1", busybox, "nc", "-l", "-p", port)
	}
	served := listen(allowed)
	require.Equal(t, listened, served.Code, "%s: %s", container, served.Stderr)
	if forbidden != "" {
		require.Contains(t, listen(forbidden).Stderr, refusal, container)
	}
}

// TestPodmanKubePlayGivesEachContainerThePortsOfItsName shows that a key for a name means the
// container that has the name in its pod, or in podman's store, and no other.
func TestPodmanKubePlayGivesEachContainerThePortsOfItsName(t *testing.T) {
	podman := configuredPodman(t, runc.StartAgent(t))
	played := podman.kubePlay(t, map[string]string{
		key + "/web": "5000", key + "/mypod-db": "5432",
	}, "web", "db", "a-web")
	require.Zero(t, played.Code, played.Stderr)
	podman.requireListens(t, "mypod-web", "5000", "5432")
	podman.requireListens(t, "mypod-db", "5432", "5000")
	podman.requireListens(t, "mypod-a-web", "5001", "") // no key is for it

	require.Zero(t, podman.do(t, "restart", "--time", "0", "mypod-web").Code)
	podman.requireListens(t, "mypod-web", "5000", "5432")
}

// TestPodmanKubePlayRefusesAKeyThatIsForNobody shows that a key which would be ignored in silence,
// or could be an image's, keeps the containers that it may be for from starting.
func TestPodmanKubePlayRefusesAKeyThatIsForNobody(t *testing.T) {
	for says, annotations := range map[string]map[string]string{
		"podman has no container of that name": {key: "7000", key + "/wbe": "5000"},
		"are both for the container mypod-web": {key: "7000", key + "/web": "5000"},
	} {
		agent := runc.StartAgent(t)
		podman := configuredPodman(t, agent)
		played := podman.kubePlay(t, annotations, "web")
		require.Contains(t, played.Stderr, "failed to start", says)
		agent.Await(t, says)
	}
}

// TestPodmanKubePlayOfWhatPodmanGeneratesIsHeldToTheSamePorts shows the way from podman run by
// podman generate kube, which writes a key for a name, to podman kube play.
func TestPodmanKubePlayOfWhatPodmanGeneratesIsHeldToTheSamePorts(t *testing.T) {
	podman := configuredPodman(t, runc.StartAgent(t))
	for name, port := range map[string]string{"first": "5000", "second": "5432"} {
		ran := podman.do(t, append(append([]string{"run", "--detach", "--name", name,
			"--hostname", "other"}, podman.run...),
			annotation+port, podman.kubeImage(t), busybox, "sleep", "600")...)
		require.Zero(t, ran.Code, ran.Stderr)
	}
	for _, names := range [][]string{{"first"}, {"first", "second"}} {
		generated := podman.do(t, append([]string{"generate", "kube"}, names...)...)
		require.Zero(t, generated.Code, generated.Stderr)
		require.Contains(t, generated.Stdout, key+"/first: \"5000\"")
		played := podman.play(t, strings.ReplaceAll(generated.Stdout,
			"image: localhost/kube", "imagePullPolicy: Never\n    image: localhost/kube"))
		require.Zero(t, played.Code, played.Stderr)
		podman.requireListens(t, "first-pod-first", "5000", "5432")
		if len(names) > 1 {
			podman.requireListens(t, "first-pod-second", "5432", "5000")
		}
		require.Zero(t, podman.do(t, "pod", "rm", "--force", "--time", "0", "first-pod").Code)
	}
}

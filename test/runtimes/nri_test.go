package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// A plugin is a running `port-restricter nri`.
type plugin struct {
	log     string
	process *exec.Cmd
}

// startPlugin returns once the engine has it. It ends with the test.
func startPlugin(t *testing.T, engine *cri.Engine, agent *runc.Agent, flags ...string) *plugin {
	t.Helper()
	p := &plugin{log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(p.log)
	require.NoError(t, err)
	defer log.Close()
	p.process = exec.Command(runc.Binary(t), append([]string{"nri", "--socket", engine.NRISocket(), "--listener", agent.Socket}, flags...)...)
	p.process.Stderr = log
	require.NoError(t, p.process.Start())
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("the plugin's log:\n%s", p.said(t))
		}
	})
	require.Eventually(t, func() bool { return strings.Contains(p.said(t), "registered") }, time.Minute, 10*time.Millisecond)
	return p
}

func (p *plugin) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	require.NoError(t, err)
	return string(text)
}

func (p *plugin) stop(t *testing.T) {
	t.Helper()
	if p.process.ProcessState == nil {
		require.NoError(t, p.process.Process.Signal(syscall.SIGTERM))
		require.NoError(t, p.process.Wait(), "the plugin's end")
	}
}

var unconfined = &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Unconfined}

// makesNamespaces tells whether an exec'd process may make a user namespace,
// which the engines' default profiles refuse.
func makesNamespaces(t *testing.T, c *cri.Container) bool {
	t.Helper()
	result, err := c.Exec(cri.Busybox, "unshare", "-U", "busybox", "true")
	require.NoError(t, err)
	return result.Code == 0
}

func TestContainerdPodIsHeldByNRI(t *testing.T) {
	agent := runc.StartAgent(t)
	engine := cri.StartContainerd(t, cri.Containerd{NRI: true})
	plugin := startPlugin(t, engine, agent, "--metadata", key+"=5000-5009")
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000", key + "/other": "5001"}})

	running := requirePodHeld(t, engine, pod, sleeping("web"))
	require.False(t, makesNamespaces(t, running), "RuntimeDefault is gone")
	requirePodServed(t, engine, startContainer(t, pod, sleeping("other")), 5001)

	free := sleeping("unconfined")
	free.Seccomp = unconfined
	require.True(t, makesNamespaces(t, requirePodHeld(t, engine, pod, free)), "more than bind is refused")
	mighty := sleeping("privileged")
	mighty.Seccomp, mighty.Privileged = unconfined, true
	requirePodHeld(t, engine, startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}, Privileged: true}), mighty)

	local := sleeping("localhost")
	path := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chroot"], "action": "SCMP_ACT_ERRNO"}]}`), 0o644))
	local.Seccomp = cri.Localhost(path)
	result, err := requirePodHeld(t, engine, pod, local).Exec(cri.Busybox, "chroot", "/", "busybox", "true")
	require.NoError(t, err)
	require.Contains(t, result.Stderr, refusal, "the Localhost profile is gone")

	t.Run("without an annotation", func(t *testing.T) {
		pod := startPod(t, engine, cri.Pod{})
		requirePodServed(t, engine, startContainer(t, pod, sleeping("web")), 5001)
	})
	t.Run("with a bad one", func(t *testing.T) {
		pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "http"}})
		_, err := pod.Start(t, sleeping("web"))
		require.ErrorContains(t, err, `port-restricter.port`)
		require.ErrorContains(t, err, `"http"`)
	})
	agent.Stop(t)
	_, err = pod.Start(t, sleeping("late"))
	require.ErrorContains(t, err, "start it: port-restricter agent --socket "+agent.Socket)
	_, err = startPod(t, engine, cri.Pod{}).Start(t, sleeping("web"))
	require.NoError(t, err, "without an annotation no agent is needed")
	require.Contains(t, plugin.said(t), "refused")
}

// What NRI would drop from a profile can't be carried by it.
func TestNRIRefusesAProfileThatItCouldNotKeep(t *testing.T) {
	agent := runc.StartAgent(t)
	engine := cri.StartContainerd(t, cri.Containerd{NRI: true})
	startPlugin(t, engine, agent)
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
	c := sleeping("web")
	path := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38}`), 0o644))
	c.Seccomp = cri.Localhost(path)
	_, err := pod.Start(t, c)
	require.ErrorContains(t, err, "defaultErrnoRet")
}

// Without the plugin nothing is restricted, unless the engine is told that it
// must be there. containerd 2.3 notices only by asking that a plugin has gone:
// one container may slip through, and a plugin that is back tells which.
func TestContainerdStartsNoPodWithoutARequiredPlugin(t *testing.T) {
	agent := runc.StartAgent(t)
	engine := cri.StartContainerd(t, cri.Containerd{NRI: true, Edit: func(config string) string {
		return config + `
[plugins."io.containerd.nri.v1.nri".default_validator]
enable = true
required_plugins = ["port-restricter"]
`
	}})
	plugin := startPlugin(t, engine, agent)
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
	requirePodHeld(t, engine, pod, sleeping("web"))
	plugin.stop(t)
	slipped, _ := pod.Start(t, sleeping("slipped"))
	_, err := pod.Start(t, sleeping("late"))
	require.ErrorContains(t, err, `required plugin "port-restricter" not present`)

	again := startPlugin(t, engine, agent)
	if slipped != nil {
		require.Eventually(t, func() bool { return strings.Contains(again.said(t), "not restricted") }, time.Minute, 10*time.Millisecond)
	}
	requirePodRefused(t, startContainer(t, pod, sleeping("again")), 5001)
}

// An engine that is not there yet, or restarts, is waited for.
func TestThePluginWaitsForItsEngine(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	require.NoError(t, err)
	defer file.Close()
	command := exec.Command(runc.Binary(t), "nri", "--socket", filepath.Join(t.TempDir(), "nri.sock"))
	command.Stderr = file
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), "no engine")
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, command.Wait())
}

// CRI-O 1.34 drops the policy that a plugin sets, without a word. The guard that
// goes with it refuses to start what would be free.
func TestCRIOWithoutSeccompInItsNRIStartsNoAnnotatedPod(t *testing.T) {
	agent := runc.StartAgent(t)
	engine := cri.StartCRIO(t, cri.CRIO{NRI: true})
	startPlugin(t, engine, agent)
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
	_, err := pod.Start(t, sleeping("web"))
	require.ErrorContains(t, err, "no filter of ours")
	requirePodServed(t, engine, startContainer(t, startPod(t, engine, cri.Pod{}), sleeping("web")), 5001)
}

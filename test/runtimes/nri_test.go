package runtimes

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
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// A plugin is a running `port-restricter nri`.
type plugin struct {
	log     string
	process *exec.Cmd
}

// startPlugin starts the NRI plugin, and returns once the engine has registered the plugin.
// The plugin ends with the test.
func startPlugin(
	t *testing.T, engine *cri.Engine, agent *runc.Agent, flags ...string,
) *plugin {
	t.Helper()
	p := &plugin{log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(p.log)
	require.NoError(t, err)
	defer log.Close()
	args := []string{"nri", "--socket", engine.NRISocket(), "--listener", agent.Socket}
	p.process = exec.Command(runc.Binary(t), append(args, flags...)...)
	p.process.Stderr = log
	require.NoError(t, p.process.Start())
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("the plugin's log:\n%s", p.logged(t))
		}
	})
	require.Eventually(t, func() bool {
		return strings.Contains(p.logged(t), "registered")
	}, time.Minute, 10*time.Millisecond, "the engine does not register the plugin")
	return p
}

// logged returns what the plugin has logged so far.
func (p *plugin) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	require.NoError(t, err)
	return string(text)
}

// stop ends the plugin, unless it has ended already.
func (p *plugin) stop(t *testing.T) {
	t.Helper()
	if p.process.ProcessState == nil {
		require.NoError(t, p.process.Process.Signal(syscall.SIGTERM))
		require.NoError(t, p.process.Wait(), "the plugin ended with an error")
	}
}

var unconfined = &runtimeapi.SecurityProfile{
	ProfileType: runtimeapi.SecurityProfile_Unconfined,
}

// makesNamespaces reports whether an exec'd process may make a user namespace. The default
// profiles of the engines refuse that.
func makesNamespaces(t *testing.T, c *cri.Container) bool {
	t.Helper()
	result, err := c.Exec(cri.Busybox, "unshare", "-U", "busybox", "true")
	require.NoError(t, err)
	return result.Code == 0
}

// TestContainerdPodIsHeldByNRI shows that the NRI plugin restricts annotated containers with
// every kind of seccomp profile, keeps what the profile refuses already, and holds
// containers without an annotation to the metadata. An invalid annotation, or a missing
// agent, keeps a container from starting.
func TestContainerdPodIsHeldByNRI(t *testing.T) {
	agent := runc.StartAgent(t)
	engine := cri.StartContainerd(t, cri.Containerd{NRI: true})
	plugin := startPlugin(t, engine, agent, "--metadata", key+"=5000-5009")
	pod := startPod(t, engine, cri.Pod{
		Annotations: map[string]string{key: "5000", key + "/other": "5001"},
	})

	running := requirePodHeld(t, engine, pod, sleeping("web"))
	require.False(t, makesNamespaces(t, running), "the profile RuntimeDefault was dropped")
	requirePodServed(t, engine, startContainer(t, pod, sleeping("other")), 5001)

	free := sleeping("unconfined")
	free.Seccomp = unconfined
	require.True(t, makesNamespaces(t, requirePodHeld(t, engine, pod, free)),
		"the plugin refuses more than binds")
	privileged := sleeping("privileged")
	privileged.Seccomp, privileged.Privileged = unconfined, true
	privilegedPod := startPod(t, engine, cri.Pod{
		Annotations: map[string]string{key: "5000"}, Privileged: true,
	})
	requirePodHeld(t, engine, privilegedPod, privileged)

	local := sleeping("localhost")
	path := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(path, []byte(`{
		"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["chroot"], "action": "SCMP_ACT_ERRNO"}]
	}`), 0o644))
	local.Seccomp = cri.Localhost(path)
	localRunning := requirePodHeld(t, engine, pod, local)
	result, err := localRunning.Exec(cri.Busybox, "chroot", "/", "busybox", "true")
	require.NoError(t, err)
	require.Contains(t, result.Stderr, refusal, "the Localhost profile was dropped")

	t.Run("without an annotation", func(t *testing.T) {
		pod := startPod(t, engine, cri.Pod{})
		requirePodServed(t, engine, startContainer(t, pod, sleeping("web")), 5001)
	})
	t.Run("with an invalid annotation", func(t *testing.T) {
		pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "http"}})
		_, err := pod.Start(t, sleeping("web"))
		require.ErrorContains(t, err, `port-restricter.port`)
		require.ErrorContains(t, err, `"http"`)
	})
	agent.Stop(t)
	_, err = pod.Start(t, sleeping("late"))
	require.ErrorContains(t, err, "start it: port-restricter agent --socket "+agent.Socket)
	_, err = startPod(t, engine, cri.Pod{}).Start(t, sleeping("web"))
	require.ErrorContains(t, err, "start it: port-restricter agent",
		"the metadata restricts a container without an annotation, too")
	require.Contains(t, plugin.logged(t), "refused")
}

// TestNRIRefusesAProfileThatItCouldNotKeep shows that the plugin refuses a container whose
// profile has a field that NRI cannot carry. NRI would drop the field, and the profile would
// refuse less, or differently. A container that nothing restricts is left alone.
func TestNRIRefusesAProfileThatItCouldNotKeep(t *testing.T) {
	agent := runc.StartAgent(t)
	engine := cri.StartContainerd(t, cri.Containerd{NRI: true})
	startPlugin(t, engine, agent)
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
	c := sleeping("web")
	path := filepath.Join(t.TempDir(), "profile.json")
	profile := `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38}`
	require.NoError(t, os.WriteFile(path, []byte(profile), 0o644))
	c.Seccomp = cri.Localhost(path)
	_, err := pod.Start(t, c)
	require.ErrorContains(t, err, "defaultErrnoRet")

	agent.Stop(t)
	_, err = startPod(t, engine, cri.Pod{}).Start(t, sleeping("web"))
	require.NoError(t, err, "a container that nothing restricts needs an agent")
}

// TestContainerdStartsNoPodWithoutARequiredPlugin shows the setting by which containerd
// starts no container without the plugin. Without the setting and the plugin, containers run
// unrestricted. containerd 2.3 notices the end of a plugin only when it asks the plugin the
// next time. So one container may still start unrestricted, and the plugin warns about such
// a container when it is back.
func TestContainerdStartsNoPodWithoutARequiredPlugin(t *testing.T) {
	agent := runc.StartAgent(t)
	requirePlugin := func(config string) string {
		return config + `
[plugins."io.containerd.nri.v1.nri".default_validator]
enable = true
required_plugins = ["port-restricter"]
`
	}
	engine := cri.StartContainerd(t, cri.Containerd{NRI: true, Edit: requirePlugin})
	plugin := startPlugin(t, engine, agent)
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
	requirePodHeld(t, engine, pod, sleeping("web"))
	plugin.stop(t)
	slipped, _ := pod.Start(t, sleeping("slipped"))
	_, err := pod.Start(t, sleeping("late"))
	require.ErrorContains(t, err, `required plugin "port-restricter" not present`)

	again := startPlugin(t, engine, agent)
	if slipped != nil {
		require.Eventually(t, func() bool {
			return strings.Contains(again.logged(t), "not restricted")
		}, time.Minute, 10*time.Millisecond, "the plugin does not warn about the container")
	}
	requirePodRefused(t, startContainer(t, pod, sleeping("again")), 5001)
}

// TestContainerdStartsNoPodThatRequiresThePlugin shows that containerd starts no pod that has the
// annotation of deploy/kubernetes/declared without the plugin, and leaves other pods alone, if its
// default validator is enabled. Without that, the annotation counts for nothing.
func TestContainerdStartsNoPodThatRequiresThePlugin(t *testing.T) {
	agent := runc.StartAgent(t)
	requiring := func() cri.Pod {
		return cri.Pod{Annotations: map[string]string{
			key: "5000", "required-plugins.noderesource.dev": `["port-restricter"]`,
		}}
	}
	for _, enabled := range []bool{true, false} {
		t.Run(fmt.Sprint("enabled=", enabled), func(t *testing.T) {
			validate := func(config string) string {
				return config + fmt.Sprintf(`
[plugins."io.containerd.nri.v1.nri".default_validator]
enable = %t
`, enabled)
			}
			engine := cri.StartContainerd(t, cri.Containerd{NRI: true, Edit: validate})
			_, err := startPod(t, engine, requiring()).Start(t, sleeping("early"))
			if !enabled {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, `required plugin "port-restricter" not present`)
			requirePodServed(t, engine,
				startContainer(t, startPod(t, engine, cri.Pod{}), sleeping("free")), 5001)
			plugin := startPlugin(t, engine, agent)
			pod := startPod(t, engine, requiring())
			requirePodHeld(t, engine, pod, sleeping("web"))
			plugin.stop(t)
			require.Eventually(t, func() bool { // containerd notices that the plugin has gone
				_, err = startPod(t, engine, requiring()).Start(t, sleeping("late"))
				return err != nil
			}, time.Minute, time.Millisecond)
			require.ErrorContains(t, err, `required plugin "port-restricter" not present`)
		})
	}
}

// TestThePluginWaitsForItsEngine shows that the plugin waits for an engine that does not run
// yet, or that restarts, and that the plugin can be stopped meanwhile.
func TestThePluginWaitsForItsEngine(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	require.NoError(t, err)
	defer file.Close()
	socket := filepath.Join(t.TempDir(), "nri.sock")
	command := exec.Command(runc.Binary(t), "nri", "--socket", socket)
	command.Stderr = file
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), "no engine")
	}, time.Minute, 10*time.Millisecond, "the plugin does not log that there is no engine")
	require.NoError(t, command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, command.Wait())
}

// TestCRIOWithoutSeccompInItsNRIStartsNoAnnotatedPod shows that an annotated container does
// not start unrestricted if the engine ignores the filter. CRI-O 1.34 silently drops the
// seccomp policy that a plugin sets. The guard, which the plugin also adds, then refuses the
// container.
func TestCRIOWithoutSeccompInItsNRIStartsNoAnnotatedPod(t *testing.T) {
	agent := runc.StartAgent(t)
	engine := cri.StartCRIO(t, cri.CRIO{NRI: true})
	startPlugin(t, engine, agent)
	pod := startPod(t, engine, cri.Pod{Annotations: map[string]string{key: "5000"}})
	_, err := pod.Start(t, sleeping("web"))
	require.ErrorContains(t, err, "does not contain port-restricter's filter")
	free := startPod(t, engine, cri.Pod{})
	requirePodServed(t, engine, startContainer(t, free, sleeping("web")), 5001)
}

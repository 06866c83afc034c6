package cri

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// Containerd says how to configure containerd.
type Containerd struct {
	// Old selects Debian's containerd 1.6, instead of the current one of `make tools`.
	Old bool
	// Annotations are patterns. containerd passes the annotations of pods and of
	// containers that match one of them to the OCI runtime.
	Annotations []string
	// Shim is the path of an OCI runtime for the runtime handler "shim". The handler
	// does not exist if it is empty.
	Shim string
	// Env is added to containerd's environment.
	Env []string
	// NRI turns the Node Resource Interface on.
	NRI bool
	// Edit, if it is not nil, returns the configuration to use in place of config.
	Edit func(config string) string
}

// StartContainerd starts containerd, and loads the image into it. containerd ends with the
// test.
func StartContainerd(t testing.TB, c Containerd) *Engine {
	t.Helper()
	e := newEngine(t, "containerd")
	binary, text := runc.Built(t, "containerd"), c.current(e)
	if c.Old {
		binary, text = "/usr/bin/containerd", c.old(e)
	}
	if c.Edit != nil {
		text = c.Edit(text)
	}
	config := e.write(t, "config.toml", text)
	// containerd takes its own shim, containerd-shim-runc-v2, from PATH.
	path := "PATH=" + filepath.Dir(binary) + ":/usr/sbin:/usr/bin:/sbin:/bin"
	command := append([]string{"env", path}, c.Env...)
	e.start(t, e.path("s"), append(command, binary, "--config", config)...)

	tar := e.path("image.tar")
	WriteImage(t, tar)
	out, err := exec.Command("ctr", "--address", e.path("s"), "--namespace", "k8s.io",
		"images", "import", "--snapshotter", "native", tar).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return e
}

// common returns the part of the configuration that all versions have in common.
func (c Containerd) common(e *Engine) string {
	return fmt.Sprintf(`
root = %q
state = %q
[grpc]
address = %q
[plugins."io.containerd.internal.v1.opt"]
path = %q
`, e.path("root"), e.path("state"), e.path("s"), e.path("opt"))
}

// old returns a configuration for containerd 1.6.
func (c Containerd) old(e *Engine) string {
	cri := `plugins."io.containerd.grpc.v1.cri"`
	return "version = 2\n" + c.common(e) + fmt.Sprintf(`
[%s]
sandbox_image = %q
restrict_oom_score_adj = true
[%s.containerd]
snapshotter = "native"
`, cri, Image, cri) + c.runtimes(cri+".containerd")
}

// current returns a configuration for containerd 2.
func (c Containerd) current(e *Engine) string {
	cri := `plugins."io.containerd.cri.v1.runtime"`
	images := `plugins."io.containerd.cri.v1.images"`
	return "version = 3\n" + c.common(e) + fmt.Sprintf(`
[%s]
snapshotter = "native"
[%s.pinned_images]
sandbox = %q
[%s]
restrict_oom_score_adj = true
[plugins."io.containerd.nri.v1.nri"]
disable = %t
socket_path = %q
plugin_path = %q
plugin_config_path = %q
`, images, images, Image, cri, !c.NRI, e.NRISocket(), e.path("nri"), e.path("nri.d")) +
		c.runtimes(cri+".containerd")
}

// runtimes returns the configuration of the runtime handlers: runc, which is the default,
// and shim.
func (c Containerd) runtimes(section string) string {
	handler := func(name, binary string) string {
		annotations := `["` + strings.Join(c.Annotations, `","`) + `"]`
		return fmt.Sprintf(`
[%s.runtimes.%s]
runtime_type = "io.containerd.runc.v2"
pod_annotations = %s
container_annotations = %s
[%s.runtimes.%s.options]
BinaryName = %q
`, section, name, annotations, annotations, section, name, binary)
	}
	text := handler("runc", "/usr/sbin/runc")
	if c.Shim != "" {
		text += handler("shim", c.Shim)
	}
	return text
}

package cri

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// CRIO is what differs between two of CRI-O.
type CRIO struct {
	// Shim is an OCI runtime for the handler "shim", and Env its environment.
	Shim string
	Env  []string
	// Hooks is a hooks.d directory.
	Hooks string
	// NRI turns the Node Resource Interface on.
	NRI bool
}

// mendSpec is runc for machines whose root has not got CAP_SYS_RESOURCE: what a
// kubelet's node would take it can't.
const mendSpec = `#!/bin/sh
bundle=$PWD
previous=
for argument; do
	case $previous in --bundle|-b) bundle=$argument;; esac
	previous=$argument
	case $argument in create)
		creates=yes;;
	esac
done
if [ -n "$creates" ]; then
	jq -c '.process.oomScoreAdj = ([.process.oomScoreAdj, 0] | max) | del(.linux.resources.hugepageLimits)' \
		"$bundle/config.json" >"$bundle/mended" && mv "$bundle/mended" "$bundle/config.json" || exit
fi
exec runc "$@"
`

// StartCRIO starts one that ends with the test.
func StartCRIO(t testing.TB, c CRIO) *Engine {
	t.Helper()
	e := newEngine(t, "crio")
	require.NoError(t, os.Mkdir(e.path("empty"), 0o755))
	policy := e.write(t, "policy.json", `{"default":[{"type":"insecureAcceptAnything"}]}`)
	e.copyImage(t, policy)
	config := e.write(t, "crio.conf", c.config(t, e, e.write(t, "runc", mendSpec)))
	environment := append([]string{"env", "PORT_RESTRICTER_RUNTIME=" + e.path("runc")}, c.Env...)
	e.start(t, e.path("s"), append(environment, runc.Built(t, "crio"), "--config", config, "--config-dir", e.path("empty"))...)
	return e
}

// copyImage puts the image into the engine's store. The store mounts itself,
// which must not outlive us.
func (e *Engine) copyImage(t testing.TB, policy string) {
	t.Helper()
	writeImage(t, e.path("image.tar"))
	out, err := exec.Command("unshare", "--mount", "skopeo", "--policy", policy, "copy", "docker-archive:"+e.path("image.tar"),
		fmt.Sprintf("containers-storage:[overlay@%s+%s]%s", e.path("root"), e.path("runroot"), image)).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func (c CRIO) config(t testing.TB, e *Engine, runtime string) string {
	handler := func(name, path string) string {
		return fmt.Sprintf(`
[crio.runtime.runtimes.%s]
runtime_path = %q
runtime_type = "oci"
runtime_root = %q
monitor_path = "/usr/bin/conmon"
monitor_cgroup = "pod"
`, name, path, e.path(name+"-root"))
	}
	hooks := c.Hooks
	if hooks == "" {
		hooks = e.path("empty")
	}
	text := fmt.Sprintf(`
[crio]
root = %q
runroot = %q
log_dir = %q
version_file = %q
version_file_persist = %q
clean_shutdown_file = %q
storage_driver = "overlay"
[crio.api]
listen = %q
stream_port = "0"
[crio.image]
pause_image = %q
signature_policy = %q
[crio.network]
network_dir = %q
[crio.nri]
enable_nri = %t
nri_listen = %q
nri_plugin_dir = %q
nri_plugin_config_dir = %q
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
default_runtime = "runc"
selinux = false
pids_limit = -1
container_exits_dir = %q
container_attach_socket_dir = %q
namespaces_dir = %q
pinns_path = %q
hooks_dir = [%q]
`, e.path("root"), e.path("runroot"), e.path("pods"), e.path("version"), e.path("persist"), e.path("clean"), e.path("s"), image,
		e.path("policy.json"), e.path("net.d"),
		c.NRI, e.NRISocket(), e.path("nri"), e.path("nri.d"), e.path("exits"), e.path("attach"), e.path("ns"), runc.Built(t, "pinns"), hooks) + handler("runc", runtime)
	if c.Shim != "" {
		text += handler("shim", c.Shim)
	}
	return text
}

package cri

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// CRIO says how to configure CRI-O.
type CRIO struct {
	// Shim is the path of an OCI runtime for the runtime handler "shim". The handler
	// does not exist if it is empty.
	Shim string
	// Env is the environment of the OCI runtime of the handler "shim". CRI-O passes its
	// own on to no OCI runtime.
	Env []string
	// Hooks is a hooks.d directory, or "" for none.
	Hooks string
	// NRI turns the Node Resource Interface on.
	NRI bool
}

// EditingRunc is a script that CRI-O runs in place of runc, for machines whose root lacks
// CAP_SYS_RESOURCE. It removes from config.json the settings that work on the node of a
// kubelet but not on such a machine: a negative oom_score_adj, and limits of huge pages.
const EditingRunc = `#!/bin/sh
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
	jq -c '.process.oomScoreAdj = ([.process.oomScoreAdj, 0] | max)
		| del(.linux.resources.hugepageLimits)' \
		"$bundle/config.json" >"$bundle/edited" && mv "$bundle/edited" "$bundle/config.json" || exit
fi
exec runc "$@"
`

// StartCRIO starts CRI-O, with the image in its store. CRI-O ends with the test.
func StartCRIO(t testing.TB, c CRIO) *Engine {
	t.Helper()
	e := newEngine(t, "crio")
	require.NoError(t, os.Mkdir(e.path("empty"), 0o755))
	policy := e.write(t, "policy.json", `{"default":[{"type":"insecureAcceptAnything"}]}`)
	e.copyImage(t, policy)
	config := e.write(t, "crio.conf", c.config(t, e, e.write(t, "runc", EditingRunc)))
	e.start(t, e.path("s"),
		runc.Built(t, "crio"), "--config", config, "--config-dir", e.path("empty"))
	return e
}

// copyImage puts the image into the engine's store. It runs in a mount namespace of its
// own: the overlay store makes a mount of its directory, which must not outlive the test.
func (e *Engine) copyImage(t testing.TB, policy string) {
	t.Helper()
	WriteImage(t, e.path("image.tar"))
	store := fmt.Sprintf("containers-storage:[overlay@%s+%s]%s",
		e.path("root"), e.path("runroot"), Image)
	out, err := exec.Command("unshare", "--mount", "skopeo", "--policy", policy,
		"copy", "docker-archive:"+e.path("image.tar"), store).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// config returns the text of crio.conf.
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
pause_command = ""
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
`,
		e.path("root"), e.path("runroot"), e.path("pods"),
		e.path("version"), e.path("persist"), e.path("clean"),
		e.path("s"),
		Image, e.path("policy.json"),
		e.path("net.d"),
		c.NRI, e.NRISocket(), e.path("nri"), e.path("nri.d"),
		e.path("exits"), e.path("attach"), e.path("ns"), runc.Built(t, "pinns"), hooks,
	)
	if c.Shim != "" {
		text += "drop_infra_ctr = false\n" // a pod has a sandbox, which the shim must tell
	}
	text += handler("runc", runtime)
	if c.Shim != "" {
		text += handler("shim", c.Shim) + "monitor_env = ["
		for _, variable := range append(c.Env,
			"PORT_RESTRICTER_RUNTIME="+runtime, "PATH=/usr/sbin:/usr/bin:/sbin:/bin") {
			text += fmt.Sprintf("%q, ", variable)
		}
		text += "]\n"
	}
	return text
}

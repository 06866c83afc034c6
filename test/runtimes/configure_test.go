package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/cri"
	"github.com/port-restricter/port-restricter/test/runc"
)

// handler is the name of the OCI runtime, and of the runtime handler, that configure adds to
// an engine's configuration.
const handler = "port-restricter"

// A node is a World in which engines are configured: changes of its /etc are its own.
type node struct {
	*runc.World
	binary string
}

// newNode returns a node whose /etc is a copy of the machine's, except for one directory:
// that directory is a copy of the one at the same path below before, or does not exist if
// before is empty or has no such path.
func newNode(t *testing.T, settings, before, directory string) node {
	t.Helper()
	n := node{runc.NewWorld(t, runc.World{Settings: settings}), runc.Binary(t)}
	n.run(t, "rm", "-rf", directory)
	if _, err := os.Stat(filepath.Join(before, directory)); before != "" && err == nil {
		n.run(t, "cp", "-r", filepath.Join(before, directory), directory)
	}
	return n
}

// run runs a command in the node, which must succeed.
func (n node) run(t *testing.T, command ...string) (stdout string) {
	t.Helper()
	command = n.Enter(command...)
	result := runc.Finish(t, exec.Command(command[0], command[1:]...))
	require.Zero(t, result.Code, "%v: %s", command, result.Stderr)
	return result.Stdout
}

// configure runs port-restricter configure in the node.
func (n node) configure(t *testing.T, engine string, flags ...string) (stdout string) {
	t.Helper()
	return n.run(t, append([]string{n.binary, "configure", engine}, flags...)...)
}

// parsed returns the tree of a TOML text.
func parsed(t *testing.T, text string) (tree map[string]any) {
	t.Helper()
	require.NoError(t, toml.Unmarshal([]byte(text), &tree))
	return tree
}

// take removes the table at the keys from the tree, and returns it.
func take(t *testing.T, tree map[string]any, keys ...string) map[string]any {
	t.Helper()
	last := len(keys) - 1
	for _, key := range keys[:last] {
		tree, _ = tree[key].(map[string]any)
	}
	taken, ok := tree[keys[last]].(map[string]any)
	require.True(t, ok, "there is no %v", keys)
	delete(tree, keys[last])
	return taken
}

// nonZero returns the tree without zero values and empty tables.
func nonZero(tree map[string]any) map[string]any {
	kept := map[string]any{}
	for key, value := range tree {
		if deeper, ok := value.(map[string]any); ok {
			if value = nonZero(deeper); len(value.(map[string]any)) == 0 {
				continue
			}
		}
		if value != "" && value != int64(0) && value != false {
			kept[key] = value
		}
	}
	return kept
}

// TestContainerdReadsWhatConfigureWrites shows, by containerd's own dump of the
// configuration that it reads, that configure adds the runtime handler and changes nothing
// else, and that --remove removes the handler again.
func TestContainerdReadsWhatConfigureWrites(t *testing.T) {
	cases, err := filepath.Glob("../../hook/engines/testdata/containerd/*")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for name, version := range map[string]struct{ containerd, plugin string }{
		"1.6": {"/usr/bin/containerd", "io.containerd.grpc.v1.cri"},
		"2.3": {runc.Built(t, "containerd"), "io.containerd.cri.v1.runtime"},
	} {
		for _, dir := range cases {
			if name == "1.6" && strings.HasPrefix(filepath.Base(dir), "version3") {
				continue // containerd 1.6 does not read version 3 of the configuration
			}
			t.Run(name+"/"+filepath.Base(dir), func(t *testing.T) {
				before, err := filepath.Abs(filepath.Join(dir, "before"))
				require.NoError(t, err)
				n := newNode(t, "listener = '/agent.sock'", before, "/etc/containerd")
				dump := func(what string) map[string]any {
					tree := parsed(t, n.run(t, version.containerd, "config", what))
					delete(tree, "imports")
					return nonZero(tree)
				}
				what := "dump"
				if filepath.Base(dir) == "empty" {
					// Without a file, dump fails, but the daemon starts with the default.
					what = "default"
				}
				was := dump(what)
				n.configure(t, "containerd")
				is := dump("dump")
				added := take(t, is,
					"plugins", version.plugin, "containerd", "runtimes", handler)
				require.Equal(t, was, is)
				options := added["options"].(map[string]any)
				require.Equal(t, "/etc/port-restricter/containerd/port-restricter-runtime",
					options["BinaryName"])
				require.Contains(t, added["pod_annotations"], "[Pp]*[Rr]*[Ss]*[Tt]*/*")
				if strings.Contains(dir, "runtimes") {
					require.Equal(t, true, options["SystemdCgroup"])
				}

				n.configure(t, "containerd", "--remove")
				require.Equal(t, was, dump(what))
			})
		}
	}
}

// TestContainerdHoldsPodsOfTheConfiguredHandler shows that containerd, as configure has
// configured it, restricts pods of the new runtime handler and leaves the default handler
// as it was.
func TestContainerdHoldsPodsOfTheConfiguredHandler(t *testing.T) {
	agent := runc.StartAgent(t)
	// The engine under test has its files in another root, so configure writes its files
	// there, and their paths in the configuration are changed to match.
	edit := func(config string) string {
		root := t.TempDir()
		path := filepath.Join(root, "etc/containerd/config.toml")
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(config), 0o644))
		binary := runc.Binary(t)
		out, err := exec.Command(binary, "configure", "containerd", "--root", root,
			"--binary", binary, "--listener", agent.Socket).CombinedOutput()
		require.NoError(t, err, "%s", out)
		inRoot := strings.NewReplacer(
			"/etc/port-restricter/", root+"/etc/port-restricter/",
			"/etc/containerd/", root+"/etc/containerd/")
		dropIn := filepath.Join(root, "etc/containerd/conf.d/port-restricter.toml")
		if text, err := os.ReadFile(dropIn); err == nil {
			require.NoError(t, os.WriteFile(dropIn, []byte(inRoot.Replace(string(text))), 0o644))
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return inRoot.Replace(string(text))
	}
	eachContainerd(t, cri.Containerd{Edit: edit}, func(t *testing.T, engine *cri.Engine) {
		pod := startPod(t, engine, cri.Pod{
			Handler: handler, Annotations: map[string]string{key: "5000"},
		})
		requirePodHeld(t, engine, pod, sleeping("web"))
		free := startPod(t, engine, cri.Pod{})
		requirePodServed(t, engine, startContainer(t, free, sleeping("web")), 5001)
	})
}

// TestCRIOReadsWhatConfigureWrites shows, by CRI-O's own output of the configuration that it
// reads, that configure adds the runtime handler and the hooks directory and changes nothing
// else, and that --remove removes both again.
func TestCRIOReadsWhatConfigureWrites(t *testing.T) {
	for _, dir := range []string{"empty", "configured"} {
		t.Run(dir, func(t *testing.T) {
			before, err := filepath.Abs(
				filepath.Join("../../hook/engines/testdata/crio", dir, "before"))
			require.NoError(t, err)
			n := newNode(t, "listener = '/agent.sock'", before, "/etc/crio")
			read := func() map[string]any {
				return parsed(t, n.run(t, runc.Built(t, "crio"), "config"))
			}
			was := read()
			n.configure(t, "crio")
			is := read()
			added := take(t, is, "crio", "runtime", "runtimes", handler)
			if dir == "empty" { // CRI-O prints its default runtime only beside another one
				take(t, is, "crio", "runtime", "runtimes", "crun")
			}
			require.Equal(t, "/etc/port-restricter/crio/port-restricter-runtime",
				added["runtime_path"])
			if dir == "configured" {
				require.Equal(t, "/usr/libexec/crio/conmon", added["monitor_path"])
			}
			wasHooks, isHooks := takeHooks(was), takeHooks(is)
			require.Equal(t, append(wasHooks, "/etc/port-restricter/crio/hooks.d"), isHooks)
			require.Equal(t, nonZero(was), nonZero(is))

			n.configure(t, "crio", "--remove")
			is = read()
			require.Equal(t, wasHooks, takeHooks(is))
			require.Equal(t, was, is)
		})
	}
}

// takeHooks removes hooks_dir from CRI-O's configuration, and returns its value. CRI-O does
// not print a value that is the default.
func takeHooks(tree map[string]any) []any {
	runtime := tree["crio"].(map[string]any)["runtime"].(map[string]any)
	dirs, ok := runtime["hooks_dir"].([]any)
	if !ok {
		dirs = []any{"/usr/share/containers/oci/hooks.d"}
	}
	delete(runtime, "hooks_dir")
	return dirs
}

package engines

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the goldens")

var planners = map[string]func(Options) (*Plan, error){
	"podman": Podman, "containerd": Containerd, "crio": CRIO, "docker": Docker, "kubelet": Kubelet,
}

func optionsIn(root string) Options { return optionsFor("", root) }

func optionsFor(dir, root string) Options {
	o := Options{Root: root, Binary: "/usr/local/bin/port-restricter", Listener: "/run/port-restricter/agent.sock", KubeletRoot: "/var/lib/kubelet"}
	if filepath.Base(dir) == "user" {
		o.ConfigHome = "/home/me/.config"
	}
	return o
}

// Each testdata/ENGINE/CASE has the system as it is before, and the change as a
// diff.
func TestEnginesAreConfiguredAndRestored(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/*")
	require.NoError(t, err)
	for _, dir := range cases {
		engine := filepath.Base(filepath.Dir(dir))
		t.Run(engine+"/"+filepath.Base(dir), func(t *testing.T) {
			root := copyOf(t, filepath.Join(dir, "before"))
			o := optionsFor(dir, root)
			before := filesIn(t, root)

			planned := plan(t, planners[engine], o)
			require.Equal(t, before, filesIn(t, root), "a plan writes nothing")
			compareGolden(t, filepath.Join(dir, "want.diff"), strings.ReplaceAll(planned.Diff(), root, ""))
			require.NotContains(t, planned.Next, "\n")

			apply(t, planned)
			require.NotEqual(t, before, filesIn(t, root))
			again := plan(t, planners[engine], o)
			require.Empty(t, again.Changes, "a second run finds nothing to change: %s", again.Diff())

			o.Remove = true
			apply(t, plan(t, planners[engine], o))
			require.Equal(t, before, filesIn(t, root))
			require.Empty(t, plan(t, planners[engine], o).Changes)
		})
	}
}

// What another run wrote with other flags is replaced, and still restored.
func TestNewOptionsReplaceTheOld(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/*")
	require.NoError(t, err)
	for _, dir := range cases {
		engine := filepath.Base(filepath.Dir(dir))
		t.Run(engine+"/"+filepath.Base(dir), func(t *testing.T) {
			root := copyOf(t, filepath.Join(dir, "before"))
			before := filesIn(t, root)
			old := optionsFor(dir, root)
			old.Listener, old.Binary, old.Metadata = "/old.sock", "/old/port-restricter", "port-restricter.port=5000\nport-restricter.mode=it's"
			apply(t, plan(t, planners[engine], old))
			o := optionsFor(dir, root)
			apply(t, plan(t, planners[engine], o))
			replaced := filesIn(t, root)
			for path, text := range replaced {
				require.NotContains(t, text, "/old", path)
			}

			fresh := optionsFor(dir, copyOf(t, filepath.Join(dir, "before")))
			apply(t, plan(t, planners[engine], fresh))
			require.Equal(t, filesIn(t, fresh.Root), replaced)
			o.Remove = true
			apply(t, plan(t, planners[engine], o))
			require.Equal(t, before, filesIn(t, root))
		})
	}
}

func plan(t *testing.T, planner func(Options) (*Plan, error), o Options) *Plan {
	t.Helper()
	planned, err := planner(o)
	require.NoError(t, err)
	return planned
}

func apply(t *testing.T, planned *Plan) {
	t.Helper()
	told := 0
	require.NoError(t, planned.Apply(func(Change) { told++ }))
	require.Len(t, planned.Changes, told)
}

// copyOf copies a tree, or makes an empty one for none.
func copyOf(t *testing.T, tree string) string {
	t.Helper()
	root := t.TempDir()
	if _, err := os.Stat(tree); err == nil {
		require.NoError(t, os.CopyFS(root, os.DirFS(tree)))
	}
	return root
}

// filesIn maps the path of each file in a tree to its mode and text.
func filesIn(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, root)] = info.Mode().String() + "\n" + string(text)
		return err
	}))
	return found
}

func put(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func compareGolden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

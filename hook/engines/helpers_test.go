package engines

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var planners = map[string]func(Options) (*Plan, error){
	"podman": Podman, "containerd": Containerd, "crio": CRIO, "docker": Docker, "kubelet": Kubelet,
	"systemd": func(o Options) (*Plan, error) { return Service(o, unitIn(o)) },
}

// unitIn returns the only unit in the file system of o, with the files that systemctl
// would list.
func unitIn(o Options) Unit {
	u := Unit{Flags: []string{"-p", "5000", "--map", "80:5000"}}
	dropIns := "/etc/systemd/system"
	installed := "/lib/systemd/system"
	if u.User = o.ConfigHome != ""; u.User {
		dropIns, installed = o.ConfigHome+"/systemd/user", "/usr/lib/systemd/user"
	}
	files, _ := filepath.Glob(filepath.Join(o.Root, installed, "*.service"))
	u.Name = filepath.Base(files[0])
	more, _ := filepath.Glob(filepath.Join(o.Root, dropIns, u.Name+".d", "*.conf"))
	for _, file := range append(files, more...) {
		u.Files = append(u.Files, strings.TrimPrefix(file, o.Root))
	}
	text, _ := os.ReadFile(files[0])
	u.NoExecPaths = strings.Contains(string(text), "NoExecPaths=/")
	u.SystemCallFilter = strings.Contains(string(text), "SystemCallFilter=")
	return u
}

func optionsIn(root string) Options {
	return Options{
		Root: root, Binary: "/usr/local/bin/port-restricter",
		Listener: "/run/port-restricter/agent.sock", KubeletRoot: "/var/lib/kubelet",
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
	reported := 0
	require.NoError(t, planned.Apply(func(Change) { reported++ }))
	require.Len(t, planned.Changes, reported)
}

func ignore(Change) {}

// put writes a file below root, with the directories that it needs.
func put(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// copyOf returns a new directory with a copy of a tree, or with nothing in it if
// the tree does not exist.
func copyOf(t *testing.T, tree string) string {
	t.Helper()
	root := t.TempDir()
	if _, err := os.Stat(tree); err == nil {
		require.NoError(t, os.CopyFS(root, os.DirFS(tree)))
	}
	return root
}

// filesIn returns the mode and the content of each file below root, by its path.
func filesIn(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	walk := func(path string, entry fs.DirEntry, err error) error {
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
	}
	require.NoError(t, filepath.WalkDir(root, walk))
	return found
}

package engines

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModeAndOwnerAreKept(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, dockerConf, "{}\n")
	path := filepath.Join(o.Root, dockerConf)
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Chown(path, 1234, 4321))
	apply(t, plan(t, Docker, o))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	owner := info.Sys().(*syscall.Stat_t)
	require.Equal(t, []uint32{1234, 4321}, []uint32{owner.Uid, owner.Gid})

	info, err = os.Stat(filepath.Join(o.Root, runtimeScriptPath(o, "docker")))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode())
}

// A file that changed between the plan and Apply is left as it is.
func TestChangesMeanwhileAreNotLost(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, dockerConf, "{}\n")
	planned := plan(t, Docker, o)
	put(t, o.Root, dockerConf, `{"debug": true}`)
	require.ErrorContains(t, planned.Apply(ignore), "another process changed the file")
	text, err := os.ReadFile(filepath.Join(o.Root, dockerConf))
	require.NoError(t, err)
	require.Equal(t, `{"debug": true}`, string(text))
}

// A run that failed leaves nothing that the next run can't finish, and no temporary
// file.
func TestAFailedRunIsFinishedByTheNext(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, "/etc/crio", "not a directory")
	planned, err := CRIO(o)
	if err == nil {
		err = planned.Apply(ignore)
	}
	require.Error(t, err)
	require.NoError(t, os.Remove(filepath.Join(o.Root, "/etc/crio")))
	apply(t, plan(t, CRIO, o))
	require.Empty(t, plan(t, CRIO, o).Changes)
	for path := range filesIn(t, o.Root) {
		require.False(t, strings.HasPrefix(filepath.Base(path), ".port-restricter-"), path)
	}
}

// Directories that become empty are removed if they are those of port-restricter, and
// only then: not even if the name of one above them begins with port-restricter.
func TestOnlyOwnDirectoriesAreRemoved(t *testing.T) {
	root := filepath.Join(t.TempDir(), "port-restricter", "port-restricter-image")
	require.NoError(t, os.MkdirAll(root, 0o755))
	o := optionsIn(root)
	apply(t, plan(t, Podman, o))
	o.Remove = true
	apply(t, plan(t, Podman, o))
	require.NoDirExists(t, filepath.Join(root, systemDir))
	require.DirExists(t, filepath.Dir(filepath.Join(root, systemDir)))
}

// The directories that were made for a drop-in are removed with it, and no others, however often
// configure ran meanwhile.
func TestDirectoriesOfADropInAreRemovedIfTheyWereMadeForIt(t *testing.T) {
	for name, c := range map[string]struct {
		engine func(Options) (*Plan, error)
		dropIn string
	}{
		"containerd": {Containerd, containerdDropIn},
		"crio":       {CRIO, crioDropIn},
		"podman":     {Podman, "/etc/containers/containers.conf.d/port-restricter.conf"},
	} {
		for there, stay := range map[string]string{
			"":      "/etc",
			"..":    filepath.Dir(filepath.Dir(c.dropIn)),
			".":     filepath.Dir(c.dropIn),
			"other": filepath.Dir(c.dropIn),
		} {
			t.Run(name+" "+there, func(t *testing.T) {
				o := optionsIn(t.TempDir())
				require.NoError(t, os.MkdirAll(filepath.Join(o.Root, stay), 0o755))
				if name == "containerd" {
					put(t, o.Root, "/etc/containerd/config.toml", "version = 3\n")
				}
				before := directoriesIn(t, o.Root)
				apply(t, plan(t, c.engine, o))
				if there == "other" {
					put(t, o.Root, filepath.Join(filepath.Dir(c.dropIn), "other"), "")
				}
				o.Listener = "/run/another.sock"
				apply(t, plan(t, c.engine, o))
				require.Empty(t, plan(t, c.engine, o).Changes)
				o.Remove = true
				apply(t, plan(t, c.engine, o))
				require.Equal(t, before, directoriesIn(t, o.Root))
			})
		}
	}
}

// A drop-in names only directories in which it is. Otherwise, others could be removed by it.
func TestADropInNamesNoOtherDirectory(t *testing.T) {
	o := optionsIn(t.TempDir())
	require.NoError(t, os.Mkdir(filepath.Join(o.Root, "etc"), 0o755))
	apply(t, plan(t, CRIO, o))
	text, err := os.ReadFile(filepath.Join(o.Root, crioDropIn))
	require.NoError(t, err)
	dirs := []string{"/etc/other", "/etc/crio/crio.conf.d/x", "/etc/crio/../other", ""}
	for _, dir := range dirs {
		require.NoError(t, os.MkdirAll(filepath.Join(o.Root, dir), 0o755))
		named := strings.Replace(string(text), `"/etc/crio"`, `"`+dir+`"`, 1)
		require.NotEqual(t, string(text), named)
		put(t, o.Root, crioDropIn, named)
		remove := o
		remove.Remove = true
		apply(t, plan(t, CRIO, remove))
		require.DirExists(t, filepath.Join(o.Root, dir))
		require.DirExists(t, filepath.Join(o.Root, filepath.Dir(crioDropIn)))
	}
}

func directoriesIn(t *testing.T, root string) (dirs []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	}))
	return dirs
}

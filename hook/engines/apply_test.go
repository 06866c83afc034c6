package engines

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func ignore(Change) {}

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
	was := info.Sys().(*syscall.Stat_t)
	require.Equal(t, []uint32{1234, 4321}, []uint32{was.Uid, was.Gid})

	info, err = os.Stat(filepath.Join(o.Root, runtimePath(o, "docker")))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode())
}

func TestLinksAreFollowedButNotOutOfRoot(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, "/usr/lib/docker.json", "{}\n")
	require.NoError(t, os.MkdirAll(filepath.Join(o.Root, "etc/docker"), 0o755))
	link := filepath.Join(o.Root, dockerConf)
	require.NoError(t, os.Symlink("../../usr/lib/docker.json", link))
	apply(t, plan(t, Docker, o))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "the link stays one")
	text, err := os.ReadFile(filepath.Join(o.Root, "usr/lib/docker.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), Handler)

	outside := filepath.Join(t.TempDir(), "daemon.json")
	require.NoError(t, os.WriteFile(outside, []byte("{}\n"), 0o644))
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink(outside, link))
	_, err = Docker(o)
	require.ErrorContains(t, err, "a link out of --root")
}

func TestChangesMeanwhileAreNotLost(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, dockerConf, "{}\n")
	planned := plan(t, Docker, o)
	put(t, o.Root, dockerConf, `{"debug": true}`)
	require.ErrorContains(t, planned.Apply(ignore), "somebody else has changed it")
	text, err := os.ReadFile(filepath.Join(o.Root, dockerConf))
	require.NoError(t, err)
	require.Equal(t, `{"debug": true}`, string(text))
}

// One that failed leaves nothing half done that the next run can't finish.
func TestAFailedRunIsFinishedByTheNext(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, "/etc/crio", "no directory")
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

// What the administrator adds later is neither moved nor lost.
func TestLaterAdditionsStay(t *testing.T) {
	for _, version := range []string{v2, v3} {
		for _, before := range []string{version, version + "root = '/data'"} {
			o := optionsIn(t.TempDir())
			put(t, o.Root, containerdConf, before)
			apply(t, plan(t, Containerd, o))
			path := filepath.Join(o.Root, containerdConf)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			put(t, o.Root, containerdConf, strings.TrimSuffix(string(text), "\n")+"\n[debug]\nlevel = 'debug'\n")
			require.Empty(t, plan(t, Containerd, o).Changes)
			o.Remove = true
			apply(t, plan(t, Containerd, o))
			text, err = os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSuffix(before, "\n")+"\n[debug]\nlevel = 'debug'\n", string(text))
		}
	}
}

// A configuration that was of version 2 when we came, and is of version 3 now.
func TestABlockBecomesADropIn(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, containerdConf, v2)
	apply(t, plan(t, Containerd, o))
	path := filepath.Join(o.Root, containerdConf)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	put(t, o.Root, containerdConf, strings.Replace(string(text), v2, v3, 1))
	apply(t, plan(t, Containerd, o))
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, v3[:len(v3)-1]+importLine(containerdDropIn)+"\n", string(text))
	// And back.
	put(t, o.Root, containerdConf, strings.Replace(string(text), v3, v2, 1))
	apply(t, plan(t, Containerd, o))
	require.NoFileExists(t, filepath.Join(o.Root, containerdDropIn), "in containerd 1.x it would replace the section")
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(text), "imports", "containerd doesn't start without a file it imports")
	require.Contains(t, string(text), Handler)
}

package engines

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A link in an image may be absolute. Followed from outside the image, the link
// leads to a file of this machine, which must not be changed.
func TestLinksAreFollowedButNotOutOfRoot(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, "/usr/lib/docker.json", "{}\n")
	require.NoError(t, os.MkdirAll(filepath.Join(o.Root, "etc/docker"), 0o755))
	link := filepath.Join(o.Root, dockerConf)
	require.NoError(t, os.Symlink("../../usr/lib/docker.json", link))
	apply(t, plan(t, Docker, o))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "the link was replaced by a file")
	text, err := os.ReadFile(filepath.Join(o.Root, "usr/lib/docker.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), Handler)

	outside := filepath.Join(t.TempDir(), "daemon.json")
	require.NoError(t, os.WriteFile(outside, []byte("{}\n"), 0o644))
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink(outside, link))
	_, err = Docker(o)
	require.ErrorContains(t, err, "a symbolic link out of --root")
}

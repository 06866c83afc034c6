package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The first lines of configurations of both kinds.
const (
	v2 = "version = 2\n"
	v3 = "version = 3\n"
)

// What the administrator adds after the first run is neither moved by a second run
// nor lost by --remove.
func TestLaterAdditionsStay(t *testing.T) {
	const addition = "\n[debug]\nlevel = 'debug'\n"
	for _, version := range []string{v2, v3} {
		for _, before := range []string{version, version + "root = '/data'"} {
			o := optionsIn(t.TempDir())
			put(t, o.Root, containerdMainFile, before)
			apply(t, plan(t, Containerd, o))
			path := filepath.Join(o.Root, containerdMainFile)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			put(t, o.Root, containerdMainFile, strings.TrimSuffix(string(text), "\n")+addition)
			require.Empty(t, plan(t, Containerd, o).Changes)
			o.Remove = true
			apply(t, plan(t, Containerd, o))
			text, err = os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSuffix(before, "\n")+addition, string(text))
		}
	}
}

// A configuration that had version 2 in the first run has version 3 in the next,
// and then version 2 again.
func TestABlockBecomesADropIn(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, containerdMainFile, v2)
	apply(t, plan(t, Containerd, o))
	path := filepath.Join(o.Root, containerdMainFile)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	put(t, o.Root, containerdMainFile, strings.Replace(string(text), v2, v3, 1))
	apply(t, plan(t, Containerd, o))
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, v3[:len(v3)-1]+importLine(containerdDropIn)+"\n", string(text))
	// And back.
	put(t, o.Root, containerdMainFile, strings.Replace(string(text), v3, v2, 1))
	apply(t, plan(t, Containerd, o))
	require.NoFileExists(t, filepath.Join(o.Root, containerdDropIn),
		"in containerd 1.x, the drop-in replaces the whole CRI section")
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(text), "imports",
		"containerd does not start without a file that it imports")
	require.Contains(t, string(text), Handler)
}

// An import that the administrator wrote must not be left to name a file that no
// longer exists: containerd would not start.
func TestRemoveRefusesToBreakImports(t *testing.T) {
	o := optionsIn(t.TempDir())
	put(t, o.Root, containerdMainFile, v3+"imports = ['/a.toml', '"+containerdDropIn+"']\n")
	apply(t, plan(t, Containerd, o))
	o.Remove = true
	_, err := Containerd(o)
	require.ErrorContains(t, err, "remove the entry from imports")
}

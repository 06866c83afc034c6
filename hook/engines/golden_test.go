package engines

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the want.diff files instead of comparing with them")

// optionsFor returns the options for a case. The cases called user are those of an
// ordinary user.
func optionsFor(dir, root string) Options {
	o := optionsIn(root)
	if filepath.Base(dir) == "user" {
		o.ConfigHome = "/home/me/.config"
	}
	return o
}

// Each testdata/ENGINE/CASE has the files of a system in before, and the expected
// change in want.diff. A second run must find nothing to change, and --remove must
// restore every file byte for byte.
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
			require.Equal(t, before, filesIn(t, root), "making a plan wrote a file")
			diff := strings.ReplaceAll(planned.Diff(), root, "")
			compareGolden(t, filepath.Join(dir, "want.diff"), diff)
			require.NotContains(t, planned.Next, "\n")

			apply(t, planned)
			require.NotEqual(t, before, filesIn(t, root))
			again := plan(t, planners[engine], o)
			require.Empty(t, again.Changes, "a second run makes changes: %s", again.Diff())

			o.Remove = true
			apply(t, plan(t, planners[engine], o))
			require.Equal(t, before, filesIn(t, root))
			require.Empty(t, plan(t, planners[engine], o).Changes)
		})
	}
}

// A run with other flags replaces everything that the first run wrote, and --remove
// still restores the files. The metadata has a line end and a quote, which each
// format has to escape.
func TestNewOptionsReplaceTheOld(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/*")
	require.NoError(t, err)
	for _, dir := range cases {
		engine := filepath.Base(filepath.Dir(dir))
		t.Run(engine+"/"+filepath.Base(dir), func(t *testing.T) {
			root := copyOf(t, filepath.Join(dir, "before"))
			before := filesIn(t, root)
			old := optionsFor(dir, root)
			old.Listener, old.Binary = "/old.sock", "/old/port-restricter"
			old.Metadata = "port-restricter.port=5000\nport-restricter.mode=it's"
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

// compareGolden compares text with the content of a file. With -update, it writes
// the file first.
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

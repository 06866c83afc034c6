package settings

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	t.Setenv("PORT_RESTRICTER_CONFIG", path)
	load := func(text string) (Settings, error) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return Load()
	}

	_, err := Load()
	require.ErrorContains(t, err, path, "a file that the environment names is not there")

	settings, err := load("listener = '/run/a.sock'\n" +
		"metadata = 'port-restricter.port=1'\n" +
		"runtime = 'crun'\n")
	require.NoError(t, err)
	require.Equal(t, Settings{
		Listener: "/run/a.sock", Metadata: "port-restricter.port=1", Runtime: "crun",
	}, settings)

	// The environment takes precedence over the file.
	t.Setenv("PORT_RESTRICTER_LISTENER", "/run/b.sock")
	settings, err = load("listener = '/run/a.sock'\nruntime = 'crun'\n")
	require.NoError(t, err)
	require.Equal(t, Settings{Listener: "/run/b.sock", Runtime: "crun"}, settings)

	for text, says := range map[string]string{
		"listner = '/run/a.sock'": "listner",
		"listener = 5":            "listener",
		"listener = ":             "1",
	} {
		_, err := load(text)
		require.ErrorContains(t, err, path)
		require.ErrorContains(t, err, says)
	}
}

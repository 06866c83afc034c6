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
		Origins: map[string]string{
			"listener": path + ":1", "metadata": path + ":2", "runtime": path + ":3",
		},
	}, settings)

	// The environment takes precedence over the file.
	t.Setenv("PORT_RESTRICTER_LISTENER", "/run/b.sock")
	settings, err = load("listener = '/run/a.sock'\nruntime = 'crun'\n")
	require.NoError(t, err)
	require.Equal(t, Settings{
		Listener: "/run/b.sock", Runtime: "crun",
		Origins: map[string]string{"listener": "PORT_RESTRICTER_LISTENER", "runtime": path + ":2"},
	}, settings)

	for text, says := range map[string]string{
		"listner = '/run/a.sock'": `:1: unknown key "listner": the keys are listener, metadata`,
		"listener = 5":            ":1: ",
		"\nlistener = ":           ":2: ",
	} {
		_, err := load(text)
		require.ErrorContains(t, err, path+says)
	}
}

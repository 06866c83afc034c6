package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// A file that is tried counts as it would at its place, with its metadata.
func TestAFileThatIsTriedCountsWithItsMetadata(t *testing.T) {
	explain := func(file string, more ...string) (status int, output string) {
		path := filepath.Join(t.TempDir(), "config.toml")
		require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
		return call(append(append([]string{"explain", "--rules", path, "--identity", "a/b/web",
			"--annotation", "port-restricter.port=5000"}, more...), "5000/tcp")...)
	}
	const metadata = "metadata = 'port-restricter.port=6000'"
	status, output := explain(metadata)
	require.Equal(t, 1, status, output)
	status, output = explain(metadata, "--metadata", "port-restricter.port=5000")
	require.Zero(t, status, output)
	status, output = explain("metadata = 'port-restricter.port=6000,'")
	require.Equal(t, cli.StatusFailure, status, output)
	require.Contains(t, output, "config.toml:1: metadata: ")
	status, output = explain("[[rule]]\nnamespace = 'a,b'\nallow = '8000'")
	require.Equal(t, cli.StatusFailure, status, output)
	require.Contains(t, output, "matches no name")
}

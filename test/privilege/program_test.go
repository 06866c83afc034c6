package privilege

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// directory is one that every user can reach: t.TempDir is closed to others.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "privilege-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// compile makes the program in dir from testdata, with what the probes share.
func compile(t *testing.T, dir, name string) string {
	t.Helper()
	program := filepath.Join(dir, name)
	out, err := exec.Command("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-static", "-pthread", "-I../probes/testdata",
		"-o", program, "testdata/"+name+".c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

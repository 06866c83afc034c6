package privilege

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// directory returns a temporary directory that every user can enter. Other users cannot
// enter t.TempDir.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "privilege-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// compile compiles testdata/NAME.c into dir, with the header that the probes share, and
// returns the program's path.
func compile(t *testing.T, dir, name string) string {
	t.Helper()
	program := filepath.Join(dir, name)
	out, err := exec.Command("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
		"-static", "-pthread", "-I../probes/testdata",
		"-o", program, "testdata/"+name+".c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

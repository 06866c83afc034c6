package atomicfile

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A configuration file of an engine stays readable and writable for the same users.
func TestReplaceKeepsModeAndOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	require.NoError(t, os.Chown(path, 12345, 54321), "run the tests as root")
	require.NoError(t, os.Chmod(path, 0o640))

	require.NoError(t, Replace(path, []byte("new"), 0o600))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode())
	owner := info.Sys().(*syscall.Stat_t)
	require.EqualValues(t, 12345, owner.Uid)
	require.EqualValues(t, 54321, owner.Gid)
	requireContent(t, path, "new")
}

// The mode is exact: a umask of the caller must not make a profile unreadable for an engine.
func TestReplaceGivesANewFileTheMode(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for _, mode := range []fs.FileMode{0o600, 0o644, 0o755} {
		path := filepath.Join(t.TempDir(), "config.json")
		require.NoError(t, Replace(path, []byte("new"), mode))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode())
		requireContent(t, path, "new")
		requireOnly(t, filepath.Dir(path), "config.json")
	}
}

// A program that has the file open never sees a mixture of the old content and the new.
func TestReplaceLeavesAnOpenFileAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte("old content"), 0o600))
	reader, err := os.Open(path)
	require.NoError(t, err)
	defer reader.Close()
	start := make([]byte, 4)
	_, err = io.ReadFull(reader, start)
	require.NoError(t, err)

	require.NoError(t, Replace(path, []byte("new"), 0o600))
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Equal(t, "old content", string(start)+string(rest))
	requireContent(t, path, "new")
	requireOnly(t, filepath.Dir(path), "config.json")
}

// After an error everything is as it was. A temporary file that stayed behind could be read
// by an engine, or fill a directory after many attempts.
func TestReplaceLeavesNoTemporaryFileAfterAnError(t *testing.T) {
	t.Run("the path is a directory", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		require.NoError(t, os.Mkdir(path, 0o755))
		err := Replace(path, []byte("new"), 0o600)
		require.ErrorContains(t, err, "replace "+path)
		requireOnly(t, dir, "config.json")
		requireOnly(t, path)
	})
	t.Run("the content can't be written", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
		unlimit := limitFileSize(t, 4)
		err := Replace(path, []byte("new, but too long"), 0o600)
		unlimit()
		require.ErrorIs(t, err, syscall.EFBIG)
		require.ErrorContains(t, err, "replace "+path)
		requireOnly(t, dir, "config.json")
		requireContent(t, path, "old")
	})
	t.Run("the directory is missing", func(t *testing.T) {
		dir := t.TempDir()
		err := Replace(filepath.Join(dir, "missing", "config.json"), []byte("new"), 0o600)
		require.ErrorIs(t, err, fs.ErrNotExist)
		requireOnly(t, dir)
	})
}

// limitFileSize makes every write beyond size bytes of a file fail with EFBIG in this process,
// until unlimit is called. The kernel also sends SIGXFSZ, which Go programs ignore.
func limitFileSize(t *testing.T, size uint64) (unlimit func()) {
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	limit := syscall.Rlimit{Cur: size, Max: before.Max}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }
}

func requireContent(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// requireOnly fails unless a directory has exactly the given entries, in sorted order.
func requireOnly(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	require.Equal(t, want, names)
}

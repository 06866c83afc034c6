package shim

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// A counted is an OCI runtime that appends a line to the file asked each time that it
// runs.
type counted struct{ path, asked string }

func newCounted(t *testing.T) counted {
	dir := t.TempDir()
	r := counted{filepath.Join(dir, "runtime"), filepath.Join(dir, "asked")}
	const features = `{"linux":{"seccomp":` +
		`{"supportedFlags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}}}`
	script := "#!/bin/sh\necho \"$*\" >>" + r.asked + "\necho '" + features + "'\n"
	require.NoError(t, os.WriteFile(r.path, []byte(script), 0o755))
	return r
}

// requireFlags calls runtimeFlags, and reports whether the runtime had to be asked.
func (r counted) requireFlags(t *testing.T) (asked bool) {
	t.Helper()
	_ = os.Remove(r.asked)
	got, err := runtimeFlags(r.path)
	require.NoError(t, err)
	require.Equal(t, []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}, got)
	_, err = os.Stat(r.asked)
	return err == nil
}

// TestFlagsAreAskedOnce shows that the cache is used, and keeps runtimes apart.
func TestFlagsAreAskedOnce(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	one, other := newCounted(t), newCounted(t)
	require.True(t, one.requireFlags(t))
	require.False(t, one.requireFlags(t))
	require.True(t, other.requireFlags(t))
	require.False(t, other.requireFlags(t))
	require.False(t, one.requireFlags(t))
}

// TestFlagsAreAskedAgain shows that the cache is not trusted if the runtime has
// changed, or if another user may have written the file.
func TestFlagsAreAskedAgain(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, r counted, kept string){
		"a changed runtime": func(t *testing.T, r counted, _ string) {
			require.NoError(t, os.Chtimes(r.path, time.Now(), time.Now().Add(time.Hour)))
		},
		"a replaced runtime": func(t *testing.T, r counted, _ string) {
			text, err := os.ReadFile(r.path)
			require.NoError(t, err)
			info, err := os.Stat(r.path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(r.path+"-new", text, 0o755))
			require.NoError(t, os.Chtimes(r.path+"-new", info.ModTime(), info.ModTime()))
			require.NoError(t, os.Rename(r.path+"-new", r.path))
		},
		"a file that is no JSON": func(t *testing.T, _ counted, kept string) {
			require.NoError(t, os.WriteFile(kept, []byte(`{"Runtime":`), 0o600))
		},
		"an empty file": func(t *testing.T, _ counted, kept string) {
			require.NoError(t, os.Truncate(kept, 0))
		},
		"a file of another version": func(t *testing.T, _ counted, kept string) {
			require.NoError(t, os.WriteFile(kept, []byte(`{"Version":2}`), 0o600))
		},
		"a file of another user": func(t *testing.T, _ counted, kept string) {
			require.NoError(t, os.Chown(kept, 54321, 0))
		},
		"a file that others may write": func(t *testing.T, _ counted, kept string) {
			require.NoError(t, os.Chmod(kept, 0o666))
		},
		"a symbolic link": func(t *testing.T, _ counted, kept string) {
			require.NoError(t, os.Rename(kept, kept+"-else"))
			require.NoError(t, os.Symlink(kept+"-else", kept))
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			t.Setenv("XDG_RUNTIME_DIR", base)
			r := newCounted(t)
			require.True(t, r.requireFlags(t))
			kept, err := filepath.Glob(filepath.Join(base, "port-restricter/runtimes/flags-*.json"))
			require.NoError(t, err)
			require.Len(t, kept, 1)
			change(t, r, kept[0])
			require.True(t, r.requireFlags(t))
			require.False(t, r.requireFlags(t), "the new answer is not in the cache")
		})
	}
}

// TestNothingIsKeptInADirectoryOfOthers shows that the cache is not in a place where
// another user could put answers into it.
func TestNothingIsKeptInADirectoryOfOthers(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, base string){
		"a base of another user": func(t *testing.T, base string) {
			require.NoError(t, os.Chown(base, 54321, 0))
		},
		"a base that others may write to": func(t *testing.T, base string) {
			require.NoError(t, os.Chmod(base, 0o777))
		},
		"a directory of another user": func(t *testing.T, base string) {
			require.NoError(t, os.MkdirAll(filepath.Join(base, "port-restricter/runtimes"), 0o700))
			require.NoError(t, os.Chown(filepath.Join(base, "port-restricter/runtimes"), 54321, 0))
		},
		"a directory that others may read": func(t *testing.T, base string) {
			require.NoError(t, os.MkdirAll(filepath.Join(base, "port-restricter/runtimes"), 0o755))
		},
		"a symbolic link": func(t *testing.T, base string) {
			require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(base, "port-restricter")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			make(t, base)
			_, err := descend(base, cacheSteps...)
			require.Error(t, err)
		})
	}
	_, err := descend(filepath.Join(t.TempDir(), "nothing"), cacheSteps...)
	require.ErrorIs(t, err, os.ErrNotExist)
}

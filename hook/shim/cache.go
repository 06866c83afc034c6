package shim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/hook"
)

// A runtimeID identifies the file of an OCI runtime. It changes if the file is
// replaced or written to.
type runtimeID struct {
	Path                       string
	Device, Inode              uint64
	Size, Modified, ChangedAll int64 // bytes, mtime and ctime in nanoseconds
}

// A cachedFlags value is the content of a file in the cache, as JSON.
type cachedFlags struct {
	Runtime runtimeID
	Flags   []specs.LinuxSeccompFlag
}

// runtimeFlags returns hook.RuntimeFlags, from a cache if it can. To ask a runtime
// takes as long as everything else that the shim does. A cache that can't be used is
// not an error: the runtime is then asked each time.
func runtimeFlags(runtime string) ([]specs.LinuxSeccompFlag, error) {
	id, err := identify(runtime)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("flags-%x.json", sha256.Sum256([]byte(runtime)))
	dir, err := openCache()
	if err != nil {
		return hook.RuntimeFlags(runtime)
	}
	defer dir.Close()
	if known, err := readCache(dir, name); err == nil && known.Runtime == id {
		return known.Flags, nil
	}
	asked, err := hook.RuntimeFlags(runtime)
	if err == nil {
		_ = writeCache(dir, name, cachedFlags{id, asked})
	}
	return asked, err
}

func identify(path string) (runtimeID, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return runtimeID{}, fmt.Errorf("identify the OCI runtime %s: %w", path, err)
	}
	return runtimeID{path, stat.Dev, stat.Ino, stat.Size, stat.Mtim.Nano(), stat.Ctim.Nano()}, nil
}

// openCache opens the directory of the cache, to which no other user has access. It
// is in $XDG_RUNTIME_DIR or else in /run, in the first of them that belongs to this
// user. $XDG_RUNTIME_DIR comes first, since root in rootless podman may not write to
// /run. The owner is checked, since under sudo the directory can be another user's.
func openCache() (*os.File, error) {
	err := errors.New("no directory for the cache")
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run"} {
		if !filepath.IsAbs(base) {
			continue
		}
		var dir *os.File
		if dir, err = descend(base, cacheSteps...); err == nil {
			return dir, nil
		}
	}
	return nil, err
}

// cacheSteps lead from $XDG_RUNTIME_DIR or /run to the directory of the cache. The
// directory of the first step is also that of the agent's socket.
var cacheSteps = []step{{"port-restricter", 0o755}, {"runtimes", 0o700}}

// A step is one directory on the way to the cache.
type step struct {
	name string
	mode uint32 // the permissions that the directory may have at most
}

// descend opens the directory to which steps lead from base. It makes the
// directories that are missing, except base.
func descend(base string, steps ...step) (*os.File, error) {
	const how = unix.O_RDONLY | unix.O_DIRECTORY
	dir, err := openOwn(unix.AT_FDCWD, base, how, 0o755)
	for _, s := range steps {
		if err != nil {
			return nil, err
		}
		above := dir
		_ = unix.Mkdirat(int(above.Fd()), s.name, s.mode)
		dir, err = openOwn(int(above.Fd()), s.name, how, s.mode)
		above.Close()
	}
	return dir, err
}

// openOwn opens a file with the flags how of open(2). It fails if the file is a
// symbolic link, belongs to another user, or has permissions that are not in mode.
func openOwn(dir int, name string, how int, mode uint32) (*os.File, error) {
	// O_NONBLOCK, because open(2) of a FIFO would wait for its other end.
	fd, err := unix.Openat(dir, name, how|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil &&
		(int(stat.Uid) != os.Geteuid() || stat.Mode&0o777&^mode != 0) {
		err = fmt.Errorf("%s belongs to user %d and has mode %#o: other users have access to it",
			name, stat.Uid, stat.Mode)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func readCache(dir *os.File, name string) (known cachedFlags, err error) {
	file, err := openOwn(int(dir.Fd()), name, unix.O_RDONLY, 0o600)
	if err != nil {
		return known, err
	}
	defer file.Close()
	const limit = 1 << 16
	text, err := io.ReadAll(io.LimitReader(file, limit))
	if err != nil {
		return known, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return known, decoder.Decode(&known)
}

// writeCache replaces the file in one step, so no other process reads half of it.
// Whatever has the name, it is replaced.
func writeCache(dir *os.File, name string, known cachedFlags) error {
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	fresh := fmt.Sprintf("%s.%d", name, os.Getpid())
	const how = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), fresh, how, 0o600)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), fresh)
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = unix.Renameat(int(dir.Fd()), fresh, int(dir.Fd()), name)
	}
	if err != nil {
		_ = unix.Unlinkat(int(dir.Fd()), fresh, 0)
	}
	return err
}

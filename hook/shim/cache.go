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

// A runtimeID changes when a runtime's file does.
type runtimeID struct {
	Path                       string
	Device, Inode              uint64
	Size, Modified, ChangedAll int64
}

type cachedFlags struct {
	Runtime runtimeID
	Flags   []specs.LinuxSeccompFlag
}

// flags are hook.RuntimeFlags, asked once for each runtime: that costs as much
// as all else we do. What can't be kept is asked again.
func flags(runtime string) ([]specs.LinuxSeccompFlag, error) {
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
		return runtimeID{}, fmt.Errorf("look at the OCI runtime %s: %w", path, err)
	}
	return runtimeID{path, stat.Dev, stat.Ino, stat.Size, stat.Mtim.Nano(), stat.Ctim.Nano()}, nil
}

// openCache opens a directory that is ours alone, below the first place for
// such things that is ours: with sudo XDG_RUNTIME_DIR can be another user's, and
// root in a user namespace, as with rootless podman, may not write to /run.
func openCache() (*os.File, error) {
	err := errors.New("no directory to keep answers in")
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

// The agent's socket is in the first of them, too.
var cacheSteps = []step{{"port-restricter", 0o755}, {"runtimes", 0o700}}

type step struct {
	name string
	mode uint32 // the most that others may do with it
}

// descend makes what is missing below base.
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

// openOwn opens what is ours, and lets others do no more than mode says.
func openOwn(dir int, name string, how int, mode uint32) (*os.File, error) {
	// Not to wait for the other end of a FIFO.
	fd, err := unix.Openat(dir, name, how|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil && (int(stat.Uid) != os.Geteuid() || stat.Mode&0o777&^mode != 0) {
		err = fmt.Errorf("%s belongs to user %d with mode %#o", name, stat.Uid, stat.Mode)
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

// writeCache replaces the file at once, whatever it was.
func writeCache(dir *os.File, name string, known cachedFlags) error {
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	fresh := fmt.Sprintf("%s.%d", name, os.Getpid())
	fd, err := unix.Openat(int(dir.Fd()), fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
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

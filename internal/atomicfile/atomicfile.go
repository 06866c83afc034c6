// Package atomicfile replaces files of other programs in one step.
package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Temporary is what the name of a file begins with that is not yet in place. One that is left over
// is of a process that was killed.
const Temporary = ".port-restricter-"

// Replace writes data to the file path. A reader sees the old content or the new one as a
// whole, also after a crash; one that has the file open keeps the old content. An existing
// file keeps its permissions, owner and group. A new file gets the permissions in mode,
// whatever the umask. Replace replaces a symbolic link, not the file that it leads to.
// After an error the file is as it was.
func Replace(path string, data []byte, mode fs.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("replace %s: %w", path, err)
		}
	}()
	// The temporary file is in the same directory, since rename(2) does not cross file
	// systems. It is hidden and has no suffix, since engines read every other file of
	// some directories.
	file, err := os.CreateTemp(filepath.Dir(path), Temporary+"*")
	if err != nil {
		return err
	}
	defer func() {
		file.Close()
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if err := adopt(file, path, mode); err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// adopt gives file the permissions and the owner of the file path, which it will replace,
// or mode if there is no such file.
func adopt(file *os.File, path string, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		// Not compared with this process's ids: in a directory with the set-group-ID
		// bit a new file has the group of the directory.
		made, err := file.Stat()
		if err != nil {
			return err
		}
		is, want := made.Sys().(*syscall.Stat_t), info.Sys().(*syscall.Stat_t)
		if is.Uid != want.Uid || is.Gid != want.Gid {
			if err := file.Chown(int(want.Uid), int(want.Gid)); err != nil {
				return err
			}
		}
	}
	return file.Chmod(mode)
}

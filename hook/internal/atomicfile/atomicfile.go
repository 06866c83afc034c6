// Package atomicfile replaces files of other programs in one step.
package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Replace writes data to the file path. Whoever reads the file sees its old content
// or the new one, also after a crash. A file that exists keeps its mode and its
// owner; a new one gets mode.
func Replace(path string, data []byte, mode fs.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("replace %s: %w", path, err)
		}
	}()
	// In the same directory, since rename(2) does not cross file systems. Hidden and
	// without a suffix, since engines read every file of some directories.
	file, err := os.CreateTemp(filepath.Dir(path), ".port-restricter-*")
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

// adopt gives file the mode and the owner of the one that it will replace.
func adopt(file *os.File, path string, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		owner, ok := info.Sys().(*syscall.Stat_t)
		if ok && (int(owner.Uid) != os.Geteuid() || int(owner.Gid) != os.Getegid()) {
			if err := file.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	return file.Chmod(mode)
}

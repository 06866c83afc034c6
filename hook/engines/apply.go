package engines

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Apply writes the plan and calls done after each file. Each is replaced in one
// step; when one fails those before it stay, and the next run does the rest.
func (p *Plan) Apply(done func(Change)) error {
	for _, c := range p.Changes {
		if err := c.apply(); err != nil {
			if errors.Is(err, fs.ErrPermission) {
				err = fmt.Errorf("%w; run it as root", err)
			}
			return fmt.Errorf("%s %s: %w", c.Verb(), c.Path, err)
		}
		done(c)
	}
	return nil
}

func (c Change) apply() error {
	now, err := os.ReadFile(c.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if (err != nil) != (c.Before == nil) || !bytes.Equal(now, c.Before) {
		return errors.New("somebody else has changed it meanwhile; run this again")
	}
	if c.After == nil {
		if err := os.Remove(c.Path); err != nil {
			return err
		}
		removeOurDirectories(filepath.Dir(c.Path))
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o755); err != nil {
		return err
	}
	return c.replace()
}

// replace never lets an engine see half a file.
func (c Change) replace() (err error) {
	// Hidden, without a known suffix, in the same directory: rename(2) needs that.
	// CRI-O reads every file of its directory at start, whatever the name.
	file, err := os.CreateTemp(filepath.Dir(c.Path), ".port-restricter-*")
	if err != nil {
		return err
	}
	defer func() {
		file.Close()
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if err := c.adopt(file); err != nil {
		return err
	}
	if _, err := file.Write(c.After); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(file.Name(), c.Path)
}

// adopt gives file the mode and the owner of the one that it will replace.
func (c Change) adopt(file *os.File) error {
	mode := c.Mode
	if info, err := os.Stat(c.Path); err == nil {
		mode = info.Mode().Perm()
		if was, ok := info.Sys().(*syscall.Stat_t); ok && (int(was.Uid) != os.Geteuid() || int(was.Gid) != os.Getegid()) {
			if err := file.Chown(int(was.Uid), int(was.Gid)); err != nil {
				return err
			}
		}
	}
	return file.Chmod(mode)
}

// removeOurDirectories removes those that are empty now and bear our name.
func removeOurDirectories(dir string) {
	for strings.Contains(dir, string(filepath.Separator)+"port-restricter") && os.Remove(dir) == nil {
		dir = filepath.Dir(dir)
	}
}

package engines

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/port-restricter/port-restricter/internal/atomicfile"
)

// Apply makes the changes in order and calls done after each. Each file is
// replaced in one step. If a change fails, the changes before it stay, and the
// next run makes the rest. A file that is not as it was when the plan was made is
// not touched: Apply fails.
func (p *Plan) Apply(done func(Change)) error {
	for _, c := range p.Changes {
		if err := c.apply(); err != nil {
			if errors.Is(err, fs.ErrPermission) {
				err = fmt.Errorf("%w; run this command as root", err)
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
		return errors.New("another process changed the file meanwhile; run this command again")
	}
	if c.After == nil {
		if err := os.Remove(c.Path); err != nil {
			return err
		}
		if c.ownDir != "" {
			removeEmptyDirs(filepath.Dir(c.Path), c.ownDir)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o755); err != nil {
		return err
	}
	return atomicfile.Replace(c.Path, c.After, c.Mode)
}

// removeEmptyDirs removes dir and the directories above it, up to and including last,
// as long as they are empty. Of a dir that is not inside of last it removes nothing.
func removeEmptyDirs(dir, last string) {
	for {
		inside, err := filepath.Rel(last, dir)
		if err != nil || !filepath.IsLocal(inside) || os.Remove(dir) != nil {
			return
		}
		dir = filepath.Dir(dir)
	}
}

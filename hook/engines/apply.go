package engines

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/port-restricter/port-restricter/hook/internal/atomicfile"
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
	return atomicfile.Replace(c.Path, c.After, c.Mode)
}

// removeOurDirectories removes those that are empty now and bear our name.
func removeOurDirectories(dir string) {
	for strings.Contains(dir, string(filepath.Separator)+"port-restricter") && os.Remove(dir) == nil {
		dir = filepath.Dir(dir)
	}
}

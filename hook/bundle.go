package hook

import (
	"fmt"
	"os"
	"path/filepath"
)

// An Edit is what Inject does to a config.json.
type Edit struct {
	Path          string
	Before, After []byte
}

// InjectFile reads a config.json and says what Inject makes of it.
func InjectFile(path string, o Options) (*Edit, error) {
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	after, err := Inject(before, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Edit{path, before, after}, nil
}

// Changes tells whether there is anything to write.
func (e *Edit) Changes() bool { return string(e.Before) != string(e.After) }

// Write replaces the file at once: whoever reads it sees the old text or the
// new one. It keeps the file's mode.
func (e *Edit) Write() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", e.Path, err)
		}
	}()
	info, err := os.Stat(e.Path)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(e.Path), ".config.json-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // after the rename there is none
	_, err = file.Write(e.After)
	if err == nil {
		err = file.Chmod(info.Mode().Perm())
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), e.Path)
}

package hook

import (
	"fmt"
	"os"

	"github.com/port-restricter/port-restricter/internal/atomicfile"
)

// An Edit is a config.json before and after Inject.
type Edit struct {
	Path          string
	Before, After []byte
}

// InjectFile reads a config.json and returns what Inject makes of it. It writes
// nothing.
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

// Changes reports whether there is anything to write.
func (e *Edit) Changes() bool { return string(e.Before) != string(e.After) }

// Write replaces the file in one step. The file keeps its mode and its owner.
func (e *Edit) Write() error { return atomicfile.Replace(e.Path, e.After, 0o644) }

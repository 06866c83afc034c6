// Package shim stands in front of an OCI runtime: it puts the filter into the
// config.json of a container that the runtime is to create, and becomes the
// runtime.
package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// Exec becomes the OCI runtime with the arguments args. It returns only if it
// can't, or must not. injection returns the options of the filter for the settings
// of this node.
func (i Invocation) Exec(args []string, injection func(settings.Settings) (filter.Options, error)) error {
	// The engine must be able to stop a container even if the settings can't be read.
	node := settings.Settings{Runtime: os.Getenv("PORT_RESTRICTER_RUNTIME")}
	if len(i.Configs) > 0 || node.Runtime == "" {
		var err error
		if node, err = settings.Load(); err != nil {
			return err
		}
	}
	runtime, err := realRuntime(node.Runtime)
	if err != nil {
		return err
	}
	for _, path := range i.Configs {
		if err := i.prepare(path, runtime, func() (filter.Options, error) { return injection(node) }); err != nil {
			return err
		}
	}
	return fmt.Errorf("execute the OCI runtime %s: %w", runtime, syscall.Exec(runtime, append([]string{runtime}, args...), os.Environ()))
}

// prepare edits one config.json, if an annotation asks for it.
func (i Invocation) prepare(path, runtime string, options func() (filter.Options, error)) error {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return nil // the runtime won't read it either, and says so in its own words
	case err != nil:
		return fmt.Errorf("read the bundle: %w", err)
	}
	annotated, err := hook.Annotated(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !annotated {
		return nil
	}
	if i.Restores {
		return fmt.Errorf("%s: the container is annotated for port-restricter, and a checkpoint brings its own seccomp filter, which has no agent: create the container anew", path)
	}
	o, err := options()
	if err != nil {
		return err
	}
	if o.Flags, err = flags(runtime); err != nil {
		return err
	}
	edit, err := hook.InjectFile(path, o)
	if err != nil {
		return err
	}
	// First, so that a container that won't start keeps its config.json.
	if err := hook.Guard(edit.After, o); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !edit.Changes() {
		return nil
	}
	return edit.Write()
}

package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook"
)

// Exec puts the filter into each of i.Configs whose container is held (config.Held),
// and then becomes the OCI runtime with the arguments args. It returns only if that
// fails, or if the container must not be created. options returns the options of the filter for the
// settings of this node.
func (i Invocation) Exec(
	args []string, options func(settings.Settings) (hook.Options, error),
) error {
	// The engine must be able to stop a container even if the settings can't be read.
	node := settings.Settings{Runtime: os.Getenv("PORT_RESTRICTER_RUNTIME")}
	if len(i.Configs) > 0 || node.Runtime == "" {
		var err error
		node, err = settings.Load()
		if decoded := node.Origins != nil; err != nil && (len(i.Configs) > 0 || !decoded) {
			return err
		}
	}
	runtime, err := FindRuntime(node.Runtime)
	if err != nil {
		return err
	}
	for _, path := range i.Configs {
		err := i.prepare(path, runtime, node,
			func() (hook.Options, error) { return options(node) })
		if err != nil {
			return err
		}
	}
	err = syscall.Exec(runtime, append([]string{runtime}, args...), os.Environ())
	return fmt.Errorf("execute the OCI runtime %s: %w", runtime, err)
}

// prepare puts the filter into one config.json, if the container is held. It fails if
// the container must not be created.
func (i Invocation) prepare(
	path, runtime string, node settings.Settings, options func() (hook.Options, error),
) error {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR),
		errors.Is(err, syscall.ENAMETOOLONG):
		return nil // the runtime can't read the file either, and has an error text of its own
	case err != nil:
		return fmt.Errorf("read the bundle: %w", err)
	}
	held, err := hook.Held(text, node.Metadata, node.Rules)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !held {
		return nil
	}
	if i.Restores {
		return fmt.Errorf("%s: the ports of the container are restricted, but its"+
			" checkpoint brings a seccomp filter of its own, which has no agent:"+
			" create the container anew", path)
	}
	o, err := options()
	if err != nil {
		return err
	}
	if o.Flags, err = runtimeFlags(runtime); err != nil {
		return err
	}
	edit, err := hook.InjectFile(path, o)
	if err != nil {
		return err
	}
	if err := edit.AddPoststart(o); err != nil {
		return err
	}
	// Before the file is written: it stays unchanged for a container that is refused.
	if err := hook.Guard(edit.After, o); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !edit.Changes() {
		return nil
	}
	return edit.Write()
}

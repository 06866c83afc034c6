// Package engines writes port-restricter into the configuration of container
// engines, and takes it out again. An engine's function only reads and makes a
// Plan: showing and applying it are the same for all.
package engines

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Handler is the name of the runtime handler, as in a RuntimeClass or in
// `docker run --runtime`.
const Handler = "port-restricter"

// home is where files of ours stand that an engine is told the path of.
const home = "/etc/port-restricter"

// Options say what to write. All paths are absolute, and the engine's: Root
// stands in front of them only when files are read or written.
type Options struct {
	// Root is the file system to work in, "" for this machine's.
	Root string
	// Binary is the port-restricter that the engine will run.
	Binary string
	// Listener is the agent's socket; Metadata goes to the agent with each container.
	Listener, Metadata string
	// Remove takes out what an earlier run wrote.
	Remove bool
	// ConfigHome is an ordinary user's ~/.config, "" for the system. Podman only.
	ConfigHome string
	// KubeletRoot is the kubelet's --root-dir; BaseProfile a file with the seccomp
	// profile to merge into, or "". Kubelet only.
	KubeletRoot, BaseProfile string
}

func (o Options) validate() error {
	for name, path := range map[string]string{"binary": o.Binary, "listener": o.Listener} {
		if !filepath.IsAbs(path) && !o.Remove {
			return fmt.Errorf("--%s %q: an engine needs an absolute path", name, path)
		}
	}
	if o.Remove || o.Root != "" {
		return nil // an image may get its binary later
	}
	info, err := os.Stat(o.Binary)
	if err != nil {
		return fmt.Errorf("the engine could not run port-restricter: %w; name it by --binary PATH", err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("the engine could not run port-restricter: %s is no executable file; name it by --binary PATH", o.Binary)
	}
	return nil
}

// read returns nil for a file that isn't there.
func (o Options) read(path string) ([]byte, error) {
	real, err := o.resolve(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(real)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && text == nil {
		text = []byte{} // there, and empty
	}
	return text, err
}

// resolve returns where path really is. A link is followed, so that writing
// doesn't replace it by a file; but not out of Root, which in an image would be
// into this machine's files.
func (o Options) resolve(path string) (string, error) {
	full := filepath.Join(o.Root, path)
	base, missing := full, ""
	for {
		_, err := os.Lstat(base)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		base, missing = filepath.Dir(base), filepath.Join(filepath.Base(base), missing)
	}
	real, err := filepath.EvalSymlinks(base)
	if err != nil {
		return "", fmt.Errorf("follow the links of %s: %w; mend or remove the link", full, err)
	}
	if o.Root != "" {
		root, err := filepath.EvalSymlinks(o.Root)
		if err != nil {
			return "", fmt.Errorf("--root: %w", err)
		}
		if inside, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(inside) {
			return "", fmt.Errorf("%s is a link out of --root, to %s: make it a relative one", full, real)
		}
	}
	return filepath.Join(real, missing), nil
}

package engines

import (
	"fmt"
	"os"
	"path/filepath"
)

// Handler is the name of the runtime handler, as in a RuntimeClass or in
// `docker run --runtime`.
const Handler = "port-restricter"

// systemDir is the directory for the files of port-restricter that the
// configuration of an engine refers to.
const systemDir = "/etc/port-restricter"

// Options say what to write. All paths but Root and BaseProfile are absolute
// paths as the engine sees them: Root is put before them only to read or write
// the files.
type Options struct {
	// Root is the directory with the file system to work in, "" for this machine's.
	Root string
	// Binary is the port-restricter that the engine will run.
	Binary string
	// Listener is the agent's socket. Metadata is sent to the agent with each
	// container.
	Listener, Metadata string
	// Remove takes out what an earlier run wrote.
	Remove bool
	// ConfigHome is the ~/.config of an ordinary user, "" to configure the system.
	// Only Podman and Service use it.
	ConfigHome string
	// KubeletRoot is the --root-dir of the kubelet. BaseProfile names the seccomp
	// profile to merge the filter into, as base.Read takes it. Only Kubelet uses them.
	KubeletRoot, BaseProfile string
	// Containerd are the places of containerd's configuration, where they are not the usual ones.
	// Only function Containerd uses it.
	Containerd ContainerdFiles
}

// ContainerdFiles are the places of containerd's configuration in a distribution of Kubernetes.
type ContainerdFiles struct {
	// Main is the file that containerd is started with. DropIn is the file for the handler where
	// imported files are merged. The default is /etc/containerd.
	Main, DropIn string
	// Generated means that the distribution writes Main, which can't be edited.
	Generated bool
	// Merged means that the distribution itself merges DropIn into the files that Main imports.
	Merged bool
}

func (o Options) validate() error {
	for _, flag := range [][2]string{{"binary", o.Binary}, {"listener", o.Listener}} {
		if name, path := flag[0], flag[1]; !filepath.IsAbs(path) && !o.Remove {
			return fmt.Errorf("--%s %q: an engine needs an absolute path", name, path)
		}
	}
	if o.Remove {
		return nil
	}
	return o.checkBinary()
}

// checkBinary returns an error if Binary can't be run.
func (o Options) checkBinary() error {
	if o.Root != "" {
		return nil // the binary may be added to an image later
	}
	info, err := os.Stat(o.Binary)
	if err != nil {
		return fmt.Errorf("port-restricter could not be run: %w; "+
			"give its path with --binary PATH", err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("port-restricter could not be run: "+
			"%s is not an executable file; give its path with --binary PATH", o.Binary)
	}
	return nil
}

// ownDir returns the directory for the files of port-restricter that the
// configuration of an engine refers to.
func (o Options) ownDir() string {
	if o.ConfigHome != "" {
		return filepath.Join(o.ConfigHome, "port-restricter")
	}
	return systemDir
}

package runc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// A Runtime is an OCI runtime, and how to call it. The zero value is runc.
type Runtime struct {
	Path  string            // "" for runc in PATH
	World *World            // where the runtime runs; nil for the test's own mount namespace
	Env   []string          // added to the test's environment
	Mend  func(*specs.Spec) // edits a container's config.json for this runtime; nil for no edit
}

// argv returns the command that calls the runtime with the arguments args.
func (r Runtime) argv(args ...string) []string {
	path := r.Path
	if path == "" {
		path = "runc"
	}
	return r.World.Enter(append([]string{path}, args...)...)
}

// Built returns the absolute path of a program that `make tools` makes.
func Built(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../.cache/tools/" + name)
	require.NoError(t, err)
	require.FileExists(t, path, "run `make tools` first")
	return path
}

// Crun returns crun. crun runs in a World of its own, since it needs the unified cgroup
// hierarchy alone. Its containers have no resource limits: where the test itself has no
// right to restrict access to devices, crun could not apply their device rules.
func Crun(t testing.TB) Runtime {
	return Runtime{
		Path:  "/usr/bin/crun",
		World: NewWorld(t, World{Cgroup2: true}),
		Mend:  func(s *specs.Spec) { s.Linux.Resources = nil },
	}
}

// Shim returns the path of a link to port-restricter under the name by which engines call
// the runtime shim.
func Shim(t testing.TB) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "port-restricter-runtime")
	require.NoError(t, os.Symlink(Binary(t), link))
	return link
}

// Shimmed returns the shim, with r as the OCI runtime behind it.
func (r Runtime) Shimmed(t testing.TB, agent *Agent) Runtime {
	t.Helper()
	r.Env = append(r.Env,
		"PORT_RESTRICTER_RUNTIME="+r.argv()[len(r.argv())-1],
		"PORT_RESTRICTER_LISTENER="+agent.Socket,
		"XDG_RUNTIME_DIR="+t.TempDir()) // the shim keeps its files there
	r.Path = Shim(t)
	return r
}

package runc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// A Runtime is an OCI runtime, and how it is called. The zero value is runc.
type Runtime struct {
	Path  string
	World *World            // where it runs; nil: where we do
	Env   []string          // added to ours
	Mend  func(*specs.Spec) // what a spec lacks to work with it; nil: nothing
}

// argv is the command that runs the runtime.
func (r Runtime) argv(args ...string) []string {
	path := r.Path
	if path == "" {
		path = "runc"
	}
	return r.World.Enter(append([]string{path}, args...)...)
}

// Built is a program that `make tools` makes.
func Built(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../.cache/tools/" + name)
	require.NoError(t, err)
	require.FileExists(t, path, "run `make tools`")
	return path
}

// Crun needs a world with one cgroup hierarchy, and may give no access to
// devices where we can't.
func Crun(t testing.TB) Runtime {
	return Runtime{Path: "/usr/bin/crun", World: NewWorld(t, World{Cgroup2: true}), Mend: func(s *specs.Spec) { s.Linux.Resources = nil }}
}

// Shim is a link to `port-restricter runtime`, as engines have it.
func Shim(t testing.TB) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "port-restricter-runtime")
	require.NoError(t, os.Symlink(Binary(t), link))
	return link
}

// Shimmed is the runtime behind the shim.
func (r Runtime) Shimmed(t testing.TB, agent *Agent) Runtime {
	t.Helper()
	r.Env = append(r.Env, "PORT_RESTRICTER_RUNTIME="+r.argv()[len(r.argv())-1], "PORT_RESTRICTER_LISTENER="+agent.Socket,
		"XDG_RUNTIME_DIR="+t.TempDir()) // what the shim keeps
	r.Path = Shim(t)
	return r
}

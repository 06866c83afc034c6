// Package start has the commands that a process or a container waits for while it starts: the
// command line, the hooks, and the OCI runtime shim. Each has a file of its own. It reads flags and
// settings, and leaves the work to a package: agent, hook and the packages below it, or
// cmd/internal/supervise.
//
// The package must stay free of what only other commands need: each start pays for what the
// program initializes.
package start

// Package hook puts the seccomp filter into the OCI spec of a container that must be
// restricted, and refuses to start a container that lost it.
//
// The package takes the text of a config.json and returns it edited. Package filter
// defines the filter. Packages shim and nri, and the hooks that package engines
// configures, are the ways in which a container's text reaches this package.
//
// A container that annotations or the metadata restrict must never start without the
// filter. So text that can't be read, or can be read in two ways, is an error, and the
// container does not start.
package hook

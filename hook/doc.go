// Package hook puts the seccomp filter into the OCI spec of an annotated container,
// and refuses to start a container that lost it.
//
// The package takes the text of a config.json and returns it edited. What the
// filter consists of is in package filter. Packages shim, nri and engines are the
// ways in which the text reaches this one.
//
// A container that an annotation is for must never pass without the filter: what
// can't be read, or can be read in two ways, is an error, and the container does
// not start.
package hook

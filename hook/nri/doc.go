// Package nri injects the seccomp filter through the Node Resource Interface (NRI).
// An engine that has NRI with seccomp adjustments (containerd 2.2 and newer, CRI-O
// newer than 1.34) asks its plugins about each container that it creates. So
// port-restricter needs no runtime handler and no profile file there.
//
// The package depends on package hook/filter for the filter, and on the engine to do
// what the plugin asks for. CRI-O 1.34 drops the seccomp policy of a plugin without
// an error. That is why the plugin also adds the guard, an OCI hook that refuses to
// start a container without the filter.
//
// Two rules hold in this package:
//
//   - The plugin must not weaken a container's own seccomp profile. It merges the
//     filter into the profile that the engine shows, as containerd 2.3 and newer do.
//     Other engines hide the profile. Then the plugin takes the default profile in the
//     place of RuntimeDefault, and refuses a container with a Localhost profile, which
//     can contain anything.
//   - A plugin that fails must not let a container that must be restricted start
//     without the filter. Each error refuses the container.
package nri

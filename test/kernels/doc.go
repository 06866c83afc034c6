// Package kernels is a test. It runs the probes of test/probes on kernels that people have:
// Debian's own, in an emulated machine, under the command line and in a container with the
// agent.
//
// A guest has no disk and no network. Its root directory is in its initramfs: programs from
// Debian's packages, port-restricter, and the probes with their Go test, compiled beforehand.
package kernels

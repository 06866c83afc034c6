// Package shim runs in the place of an OCI runtime. When an engine creates a
// container, the shim puts the seccomp filter into the container's config.json, if
// an annotation asks for it. Then it becomes the runtime by execve(2), with
// unchanged arguments.
//
// The package depends on package hook, which edits config.json and checks it, and on
// the command line interface of OCI runtimes: their arguments name the config.json
// that they will read, and their features command lists the seccomp flags that they
// can set.
//
// Four rules hold in this package:
//
//   - No runtime may create an annotated container from a config.json that the shim
//     did not look at. Where arguments can be understood in several ways, the shim
//     follows every one of them. It may look at a file too many, never at one too few.
//   - A command that creates no container must not fail because of port-restricter.
//     The engine must be able to stop a container and delete it even if the settings
//     can't be read, so for these commands it is enough that the environment names
//     the runtime.
//   - Nothing may change but linux.seccomp and hooks.poststart in the config.json of an
//     annotated container, and nothing at all for a container that the shim refuses.
//   - The shim must neither stay as a process between the engine and the runtime nor
//     run itself as the runtime.
//
// # The arguments of runc and crun
//
// An engine runs
//
//	RUNTIME [global options] create|run|restore [options] ID
//
// runc parses these arguments with urfave/cli, which uses Go's flag package. crun
// uses argp of the GNU C library. For --bundle DIR, --bundle=DIR and -b DIR in front
// of the ID, both read DIR/config.json. Other forms mean one thing to runc and
// another thing to crun:
//
//	arguments                runc reads            crun reads
//	-b=DIR ID                DIR/config.json       =DIR/config.json
//	-bundle=DIR ID           DIR/config.json       undle=DIR/config.json
//	-bDIR ID, -dbDIR ID      nothing: an error     DIR/config.json
//	--bund DIR ID            nothing: an error     DIR/config.json
//	ID --bundle DIR          DIR/config.json       nothing: an error
//	--config FILE ID         nothing: an error     FILE
//	--config --              ./config.json, for    nothing: an error
//	                         the ID "--config"
//
// Five differences of the grammars are behind this:
//
//   - To Go's flag package, one dash is as good as two. To argp, one dash begins a
//     cluster of one-letter options. The rest of the argument behind a letter that
//     takes a value is its value.
//   - argp takes the beginning of a long name for the whole name.
//   - crun's options end at the first argument that is not an option, the ID.
//     urfave/cli first moves all options that the command has, as far as --, in front
//     of the other arguments. So runc also accepts options behind the ID.
//   - urfave/cli moves -- in front of the arguments that stayed behind. So an option
//     that runc does not have can become the ID.
//   - Only crun has --config, and -f for short.
//
// An engine may also use an option that neither runtime had when this package was
// written. It is read in two ways, with a value and without one. Arguments that a
// runtime rejects need no reading of their own: no container is created.
//
// ParseArguments (arguments.go) finds the command, configPaths (bundle.go) collects
// the values that the command's options can have, and readings (options.go) returns
// every meaning of one option.
package shim

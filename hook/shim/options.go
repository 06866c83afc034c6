package shim

import (
	"slices"
	"strings"
)

// An effect is what an option does, and whether it takes a value for that.
type effect int

const (
	takesNoValue  effect = iota
	takesValue           // that does not matter to the shim
	setsBundle           // takes the directory of the bundle
	setsConfig           // takes the path of a file to read in place of config.json
	setsLog              // takes the path of the log
	setsLogFormat        // takes the format of the log
)

// The options of runc 1.0 to 1.5 and of crun 0.1 to 1.26, by name without dashes:
// globalOptions come in front of the command, and commandOptions behind create, run
// or restore. The last lines of both tables are help, which both runtimes have, and
// the options that argp adds to every program.
var (
	globalOptions = map[string]effect{
		"cgroup-manager": takesValue, "criu": takesValue, "debug": takesNoValue, "log": setsLog,
		"log-format": setsLogFormat, "log-level": takesValue, "root": takesValue,
		"rootless": takesValue, "systemd-cgroup": takesNoValue, "version": takesNoValue,
		"v": takesNoValue, "V": takesNoValue,

		"help": takesNoValue, "h": takesNoValue, "?": takesNoValue, "usage": takesNoValue,
		"program-name": takesValue, "HANG": takesNoValue,
	}
	commandOptions = map[string]effect{
		"bundle": setsBundle, "b": setsBundle, "config": setsConfig, "f": setsConfig,
		"console-socket": takesValue, "pid-file": takesValue, "pidfd-socket": takesValue,
		"preserve-fds": takesValue, "detach": takesNoValue, "d": takesNoValue,
		"keep": takesNoValue, "no-new-keyring": takesNoValue, "no-pivot": takesNoValue,
		"no-subreaper": takesNoValue,

		// Only restore has these.
		"empty-ns": takesValue, "image-path": takesValue, "lsm-mount-context": takesValue,
		"lsm-profile": takesValue, "manage-cgroups-mode": takesValue, "status-fd": takesValue,
		"work-path": takesValue, "auto-dedup": takesNoValue, "ext-unix-sk": takesNoValue,
		"file-locks": takesNoValue, "lazy-pages": takesNoValue, "shell-job": takesNoValue,
		"tcp-established": takesNoValue,

		"help": takesNoValue, "h": takesNoValue, "?": takesNoValue, "usage": takesNoValue,
		"program-name": takesValue, "HANG": takesNoValue,
	}
)

// A reading is one way in which a runtime may understand an option.
type reading struct {
	effect effect
	value  string
	next   int // index of the argument that parsing goes on with
}

// readings returns every way in which a runtime may understand the option args[i].
// known are the options that are possible in this place. The package comment
// explains how the runtimes differ.
func readings(known map[string]effect, args []string, i int) []reading {
	trimmed, long := strings.CutPrefix(args[i], "--")
	if !long {
		trimmed = args[i][1:]
	}
	name, inline, hasInline := strings.Cut(trimmed, "=")
	var all []reading
	for _, e := range effects(known, name, long) {
		switch {
		case e == takesNoValue || hasInline:
			all = append(all, reading{e, inline, i + 1})
		default:
			all = append(all, valueFollows(e, args, i)...)
		}
		if e == setsConfig && mayBeOperand(args, i) {
			all = append(all, reading{takesNoValue, "", i + 1})
		}
	}
	if !long && len(trimmed) > 1 {
		all = append(all, cluster(known, args, i)...)
	}
	return all
}

// effects returns what an option of this name may do. argp takes the beginning of a
// long name for the whole name. To Go's flag package it is an unknown option, which
// takes no value. A name that fits none of the known options may be an option of a
// later version, with a value or without one.
func effects(known map[string]effect, name string, long bool) []effect {
	if e, ok := known[name]; ok {
		return []effect{e}
	}
	var abbreviated []effect
	for whole, e := range known {
		if long && len(whole) > 1 && strings.HasPrefix(whole, name) {
			abbreviated = append(abbreviated, e)
		}
	}
	if len(abbreviated) > 0 {
		return append(abbreviated, takesNoValue)
	}
	return []effect{takesNoValue, takesValue}
}

// mayBeOperand reports whether args[i], which is crun's --config, may be an argument
// like any other to runc, which has no such option. There are two cases. In front of
// -- it can be the container's ID. And if the last argument is an option without a
// value, runc moves that option to the front, where it takes args[i] for its value.
func mayBeOperand(args []string, i int) bool {
	return slices.Contains(args[i+1:], "--") || isOption(args[len(args)-1])
}

// valueFollows returns the readings of an option whose value is in an argument of its
// own, the next one.
//
// There are several readings if the next argument begins with a dash, or if there is
// none. argp takes the next argument for the value in any case. runc first moves the
// options that it knows in front of all other arguments, and moves a value along only
// if the value does not begin with a dash. Otherwise the option takes the argument
// that comes next after the move, which may be any of args.
func valueFollows(e effect, args []string, i int) []reading {
	if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
		return []reading{{e, args[i+1], i + 2}}
	}
	var all []reading
	for next := i + 1; next <= len(args); next++ {
		if e != setsBundle {
			all = append(all, reading{e, args[min(i+1, len(args)-1)], next})
			continue
		}
		for _, value := range args {
			all = append(all, reading{e, value, next})
		}
	}
	return all
}

// cluster returns the readings of args[i] that argp has if the argument is one dash
// and a cluster of one-letter options: -dbDIR is -d -b DIR. There are none if one of
// the letters is not an option.
func cluster(known map[string]effect, args []string, i int) []reading {
	letters := args[i][1:]
	for n := range letters {
		switch e, ok := known[letters[n:n+1]]; {
		case !ok:
			return nil
		case e == takesNoValue:
		case n+1 < len(letters):
			return []reading{{e, letters[n+1:], i + 1}}
		default:
			return valueFollows(e, args, i)
		}
	}
	return []reading{{takesNoValue, "", i + 1}}
}

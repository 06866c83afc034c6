package shim

import (
	"slices"
	"strings"
)

// An effect is what an option does with the arguments behind it.
type effect int

const (
	flag     effect = iota // takes no value
	value                  // takes one, which is nothing to us
	inBundle               // takes the bundle's directory
	byConfig               // takes the path of another file than config.json
	logTo                  // takes the path of the log
	logAs                  // takes the log's format
)

// The options of runc 1.0 to 1.5 and crun 0.1 to 1.26, in front of the command
// and behind create, run and restore. help and the three below are argp's own.
var (
	globalOptions = map[string]effect{
		"cgroup-manager": value, "criu": value, "debug": flag, "log": logTo, "log-format": logAs, "log-level": value,
		"root": value, "rootless": value, "systemd-cgroup": flag, "version": flag, "v": flag, "V": flag,
		"help": flag, "h": flag, "?": flag, "usage": flag, "program-name": value, "HANG": flag,
	}
	commandOptions = map[string]effect{
		"bundle": inBundle, "b": inBundle, "config": byConfig, "f": byConfig,
		"console-socket": value, "pid-file": value, "pidfd-socket": value, "preserve-fds": value,
		"detach": flag, "d": flag, "keep": flag, "no-new-keyring": flag, "no-pivot": flag, "no-subreaper": flag,
		// Of restore only.
		"empty-ns": value, "image-path": value, "lsm-mount-context": value, "lsm-profile": value,
		"manage-cgroups-mode": value, "status-fd": value, "work-path": value,
		"auto-dedup": flag, "ext-unix-sk": flag, "file-locks": flag, "lazy-pages": flag, "shell-job": flag, "tcp-established": flag,
		"help": flag, "h": flag, "?": flag, "usage": flag, "program-name": value, "HANG": flag,
	}
)

// A reading is one way to understand an option.
type reading struct {
	effect effect
	value  string
	next   int // the argument to go on with
}

// readings are all ways in which a runtime may understand the option args[i]:
// that of Go's flag package in runc's, that of argp in crun's, and, for an
// option that neither of them had when this was written, with and without a
// value.
func readings(known map[string]effect, args []string, i int) []reading {
	trimmed, long := strings.CutPrefix(args[i], "--")
	if !long {
		trimmed = args[i][1:]
	}
	name, inline, hasInline := strings.Cut(trimmed, "=")
	var all []reading
	for _, e := range meanings(known, name, long) {
		switch {
		case e == flag || hasInline:
			all = append(all, reading{e, inline, i + 1})
		default:
			all = append(all, withNext(e, args, i)...)
		}
		if e == byConfig && (slices.Contains(args[i+1:], "--") || isOption(args[len(args)-1])) {
			// runc has no such option: in front of -- it is the container's name,
			// and the value of an option at the end that has none.
			all = append(all, reading{flag, "", i + 1})
		}
	}
	if !long && len(trimmed) > 1 {
		all = append(all, cluster(known, args, i)...)
	}
	return all
}

// meanings: argp takes a beginning of a long name for the name, and Go's flag
// package doesn't.
func meanings(known map[string]effect, name string, long bool) []effect {
	if e, ok := known[name]; ok {
		return []effect{e}
	}
	var begun []effect
	for whole, e := range known {
		if long && len(whole) > 1 && strings.HasPrefix(whole, name) {
			begun = append(begun, e)
		}
	}
	if len(begun) > 0 {
		return append(begun, flag)
	}
	return []effect{flag, value}
}

// withNext takes the value from the next argument. runc moves the options that
// it knows in front of all other arguments first, together with a value unless
// that begins with a dash: then the option takes whatever comes next instead.
func withNext(e effect, args []string, i int) []reading {
	if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
		return []reading{{e, args[i+1], i + 2}}
	}
	var all []reading
	for next := i + 1; next <= len(args); next++ {
		if e != inBundle {
			all = append(all, reading{e, args[min(i+1, len(args)-1)], next})
			continue
		}
		for _, any := range args {
			all = append(all, reading{e, any, next})
		}
	}
	return all
}

// cluster reads -dbDIR as argp does: -d -b DIR.
func cluster(known map[string]effect, args []string, i int) []reading {
	letters := args[i][1:]
	for n := range letters {
		switch e, ok := known[letters[n:n+1]]; {
		case !ok:
			return nil
		case e == flag:
		case n+1 < len(letters):
			return []reading{{e, letters[n+1:], i + 1}}
		default:
			return withNext(e, args, i)
		}
	}
	return []reading{{flag, "", i + 1}}
}

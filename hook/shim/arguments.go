package shim

import (
	"maps"
	"slices"
)

// An Invocation is what a runtime's arguments ask for.
type Invocation struct {
	// Configs are the files that the runtime may read as the config.json of a
	// container to create: one, unless runtimes understand the arguments
	// differently. None for all that creates no container. Relative ones are
	// relative to the working directory.
	Configs []string
	// Restores: the container to create may come from a checkpoint.
	Restores bool
	// Log and LogFormat are the options --log and --log-format.
	Log, LogFormat string
}

// commands are those of runc and crun. The value tells whether the command
// creates a container from a bundle.
var commands = map[string]bool{
	"create": true, "run": true, "restore": true,
	"checkpoint": false, "delete": false, "events": false, "exec": false, "features": false, "h": false, "help": false,
	"init": false, "kill": false, "list": false, "mounts": false, "pause": false, "ps": false, "resume": false,
	"spec": false, "start": false, "state": false, "update": false,
}

// ParseArguments reads the arguments of an OCI runtime, without its name. A
// container can't be created past it: where the arguments can be understood in
// several ways it goes all of them.
func ParseArguments(args []string) Invocation {
	a := &arguments{args: args, found: map[int]bool{}, seen: map[int]bool{}}
	a.command(0)
	if !a.known {
		// A grammar that is neither runc's nor crun's.
		for i, arg := range args {
			a.found[i] = a.found[i] || commands[arg]
		}
	}
	configs := map[string]bool{}
	for i := range a.found {
		if !commands[args[i]] {
			continue
		}
		a.Restores = a.Restores || args[i] == "restore"
		for _, path := range configsFrom(args[i+1:]) {
			configs[path] = true
		}
	}
	a.Configs = slices.Sorted(maps.Keys(configs))
	return a.Invocation
}

type arguments struct {
	Invocation
	args  []string
	found map[int]bool // where a command may stand
	known bool         // one of them is a command that we know
	seen  map[int]bool
}

// command finds the commands behind the global options from args[i] on.
func (a *arguments) command(i int) {
	if i >= len(a.args) || a.seen[i] {
		return
	}
	a.seen[i] = true
	switch arg := a.args[i]; {
	case arg == "--" && i+1 < len(a.args):
		a.at(i + 1)
	case isOption(arg):
		for _, r := range readings(globalOptions, a.args, i) {
			switch r.effect {
			case logTo:
				a.Log = r.value
			case logAs:
				a.LogFormat = r.value
			}
			a.command(r.next)
		}
	default:
		a.at(i)
	}
}

func (a *arguments) at(i int) {
	a.found[i] = true
	_, known := commands[a.args[i]]
	a.known = a.known || known
}

// isOption: a dash alone is an argument, to both runtimes.
func isOption(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

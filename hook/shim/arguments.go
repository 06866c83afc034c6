package shim

import (
	"maps"
	"slices"
)

// An Invocation is what the arguments of an OCI runtime ask for.
type Invocation struct {
	// Configs are the files that the runtime may read as the config.json of a
	// container to create: usually one, more if runtimes understand the arguments
	// differently, and none for a command that creates no container. A relative path
	// is relative to the working directory.
	Configs []string
	// Restores reports whether the container may be created from a checkpoint.
	Restores bool
	// Log and LogFormat are the values of the options --log and --log-format.
	Log, LogFormat string
}

// commands are the commands of runc and crun. The value reports whether the command
// creates a container from a bundle.
var commands = map[string]bool{
	"create": true, "run": true, "restore": true,
	"checkpoint": false, "delete": false, "events": false, "exec": false, "features": false,
	"h": false, "help": false, "init": false, "kill": false, "list": false, "mounts": false,
	"pause": false, "ps": false, "resume": false, "spec": false, "start": false, "state": false,
	"update": false,
}

// ParseArguments returns what the arguments of an OCI runtime ask for. args do not
// include the name of the program. Where they can be understood in several ways,
// ParseArguments follows every one of them, so the runtime can't create a container
// from a file that is not in Configs.
func ParseArguments(args []string) Invocation {
	a := &arguments{args: args, found: map[int]bool{}, seen: map[int]bool{}}
	a.findCommands(0)
	if !a.known {
		// The grammar is neither runc's nor crun's: the command can be anywhere.
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
		for _, path := range configPaths(args[i+1:]) {
			configs[path] = true
		}
	}
	a.Configs = slices.Sorted(maps.Keys(configs))
	return a.Invocation
}

// An arguments value is the state of ParseArguments.
type arguments struct {
	Invocation
	args  []string
	found map[int]bool // indices in args where the command may be
	known bool         // commands has the word at one of these indices
	seen  map[int]bool // indices that findCommands has visited
}

// findCommands finds the command that follows the global options from args[i] on, in
// every reading of them.
func (a *arguments) findCommands(i int) {
	if i >= len(a.args) || a.seen[i] {
		return
	}
	a.seen[i] = true
	switch arg := a.args[i]; {
	case arg == "--" && i+1 < len(a.args):
		a.addCommand(i + 1)
	case isOption(arg):
		for _, r := range readings(globalOptions, a.args, i) {
			switch r.effect {
			case setsLog:
				a.Log = r.value
			case setsLogFormat:
				a.LogFormat = r.value
			}
			a.findCommands(r.next)
		}
	default:
		a.addCommand(i)
	}
}

func (a *arguments) addCommand(i int) {
	a.found[i] = true
	_, known := commands[a.args[i]]
	a.known = a.known || known
}

// isOption reports whether an argument is an option or --. A dash alone is neither,
// to both runtimes.
func isOption(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

package shim

import (
	"maps"
	"path/filepath"
)

const defaultConfig = "config.json"

// configPaths returns the files that create, run or restore may read as config.json
// if args follow the command.
func configPaths(args []string) []string {
	found := parseOptions(args)
	var paths []string
	for dir := range found.bundle.or(".") {
		for file := range found.config.or(defaultConfig) {
			switch {
			case filepath.IsAbs(file):
				paths = append(paths, filepath.Clean(file))
			case file == defaultConfig:
				paths = append(paths, filepath.Join(dir, file))
			default:
				// crun looks for the file in its working directory, though according to
				// its manual it looks in the bundle.
				paths = append(paths, filepath.Clean(file), filepath.Join(dir, file))
			}
		}
	}
	return paths
}

// A valueSet holds the values that an option can have in the different readings of
// the arguments.
type valueSet struct {
	values map[string]bool
	unset  bool // in some reading the option is not given
}

var (
	notGiven  = valueSet{unset: true} // the only reading is without the option
	noReading = valueSet{}            // what union starts from
)

// or returns the values, with def for the readings in which the option is not given.
func (s valueSet) or(def string) map[string]bool {
	all := map[string]bool{}
	maps.Copy(all, s.values)
	if s.unset {
		all[def] = true
	}
	return all
}

// precededBy returns the values if the option is also given, with this value, in
// front of the arguments that s was made from. The last value of an option counts,
// so this one counts only where no later argument gives the option.
func (s valueSet) precededBy(value string) valueSet {
	if !s.unset {
		return s
	}
	return valueSet{values: s.or(value)}
}

// union returns the values of both sets.
func (s valueSet) union(other valueSet) valueSet {
	all := map[string]bool{}
	maps.Copy(all, s.values)
	maps.Copy(all, other.values)
	return valueSet{all, s.unset || other.unset}
}

// A bundleOptions value holds the values that --bundle and crun's --config can have.
type bundleOptions struct{ bundle, config valueSet }

func (o bundleOptions) union(other bundleOptions) bundleOptions {
	return bundleOptions{o.bundle.union(other.bundle), o.config.union(other.config)}
}

// parseOptions returns the values that the options in args can have. It goes from the
// last argument to the first, so it reads each argument once, however many readings
// lead to that argument.
func parseOptions(args []string) bundleOptions {
	ended := bundleOptions{notGiven, notGiven}
	from := make([]bundleOptions, len(args)+1) // from[i] is the result for args[i:]
	from[len(args)] = ended
	for i := len(args) - 1; i >= 0; i-- {
		switch {
		case args[i] == "--":
			from[i] = ended
		case !isOption(args[i]):
			// The container's ID, where crun stops and runc goes on.
			from[i] = ended.union(from[i+1])
		default:
			from[i] = bundleOptions{noReading, noReading}
			for _, r := range readings(commandOptions, args, i) {
				rest := from[min(r.next, len(args))]
				switch r.effect {
				case setsBundle:
					rest.bundle = rest.bundle.precededBy(r.value)
				case setsConfig:
					rest.config = rest.config.precededBy(r.value)
				}
				from[i] = from[i].union(rest)
			}
		}
	}
	return from[0]
}

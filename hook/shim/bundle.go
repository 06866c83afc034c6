package shim

import (
	"maps"
	"path/filepath"
)

const defaultConfig = "config.json"

// configsFrom are the files that create, run or restore with these arguments
// may read.
func configsFrom(args []string) []string {
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
				// crun looks from its working directory; by its manual, in the bundle.
				paths = append(paths, filepath.Clean(file), filepath.Join(dir, file))
			}
		}
	}
	return paths
}

// A choice is what an option may have been set to, by one reading or another.
type choice struct {
	values map[string]bool
	unset  bool // by one reading it wasn't
}

func (c choice) or(unset string) map[string]bool {
	all := map[string]bool{}
	maps.Copy(all, c.values)
	if c.unset {
		all[unset] = true
	}
	return all
}

// given is c behind an option that set the value.
func (c choice) given(value string) choice {
	if !c.unset {
		return c // the last one counts
	}
	return choice{c.or(value), false}
}

func (c choice) either(other choice) choice {
	all := maps.Clone(c.values)
	maps.Copy(all, other.values)
	return choice{all, c.unset || other.unset}
}

type chosen struct{ bundle, config choice }

// parseOptions reads from the end to the beginning, each argument once.
func parseOptions(args []string) chosen {
	none := choice{map[string]bool{}, true}
	behind := make([]chosen, len(args)+1) // what the arguments from there on say
	behind[len(args)] = chosen{none, none}
	for i := len(args) - 1; i >= 0; i-- {
		switch {
		case args[i] == "--":
			behind[i] = chosen{none, none}
		case !isOption(args[i]):
			// crun stops at the container's name, runc goes on.
			behind[i] = chosen{none.either(behind[i+1].bundle), none.either(behind[i+1].config)}
		default:
			behind[i] = chosen{choice{map[string]bool{}, false}, choice{map[string]bool{}, false}}
			for _, r := range readings(commandOptions, args, i) {
				next := behind[min(r.next, len(args))]
				switch r.effect {
				case inBundle:
					next.bundle = next.bundle.given(r.value)
				case byConfig:
					next.config = next.config.given(r.value)
				}
				behind[i].bundle = behind[i].bundle.either(next.bundle)
				behind[i].config = behind[i].config.either(next.config)
			}
		}
	}
	return behind[0]
}

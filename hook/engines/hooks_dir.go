package engines

import (
	"fmt"
	"slices"
)

// hooksDirs returns the hooks_dir for a drop-in that adds dir. The list has to
// repeat the directories of the files read before the drop-in, because hooks_dir
// replaces the list that the engine has so far. files are the configuration files
// in the order in which the engine reads them, builtIn is the list if none of them
// has hooks_dir, and keys lead to the table that has hooks_dir. A file that is
// read after the drop-in, and whose hooks_dir drops dir again, is an error.
func (o Options) hooksDirs(
	files []string, dropIn, dir string, builtIn []string, keys ...string,
) ([]string, error) {
	dirs := builtIn
	appends := false // once set, {append = true} holds for the later files, too (Podman 4.8)
	passed := false
	for _, file := range files {
		if file == dropIn {
			passed = true
			continue
		}
		parsed, err := o.readTable(file)
		if err != nil {
			return nil, err
		}
		value, ok := subtable(parsed, keys...)["hooks_dir"]
		if !ok {
			continue
		}
		appends = boolAttribute(value, "append", appends)
		switch listed := stringsIn(value); {
		case !passed && appends:
			dirs = slices.Concat(dirs, listed)
		case !passed:
			dirs = listed
		case !appends && !slices.Contains(listed, dir):
			return nil, fmt.Errorf("%s is read after %s, and its hooks_dir replaces the one "+
				"there: add %q to it, then run this command again",
				o.shown(file), o.shown(dropIn), dir)
		}
	}
	dirs = slices.DeleteFunc(slices.Clone(dirs), func(listed string) bool { return listed == dir })
	return append(dirs, dir), nil
}

// boolAttribute returns the value of the first element {name = BOOL} of an array,
// or otherwise if there is none.
func boolAttribute(value any, name string, otherwise bool) bool {
	for _, element := range asArray(value) {
		attributes, _ := element.(table)
		if attribute, ok := attributes[name].(bool); ok {
			return attribute
		}
	}
	return otherwise
}

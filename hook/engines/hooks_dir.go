package engines

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hooksDirs is the list for a drop-in that adds dir: hooks_dir replaces what an
// engine has read before, so all of that must be said again. files are those the
// engine reads, in order; keys lead to the table with hooks_dir.
func (o Options) hooksDirs(files []string, dropIn, dir string, builtIn []string, keys ...string) ([]string, error) {
	dirs := builtIn
	appends := false // once said, it holds for the files behind, too (Podman 4.8)
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
		said, ok := sub(parsed, keys...)["hooks_dir"]
		if !ok {
			continue
		}
		appends = attribute(said, "append", appends)
		switch listed := texts(said); {
		case !passed && appends:
			dirs = slices.Concat(dirs, listed)
		case !passed:
			dirs = listed
		case !appends && !slices.Contains(listed, dir):
			return nil, fmt.Errorf("%s is read after our %s, and its hooks_dir takes ours away: add %q to it", file, dropIn, dir)
		}
	}
	dirs = slices.DeleteFunc(slices.Clone(dirs), func(listed string) bool { return listed == dir })
	return append(dirs, dir), nil
}

// attribute finds {name = true} among the elements of an array.
func attribute(value any, name string, otherwise bool) bool {
	array, _ := value.([]any)
	for _, element := range array {
		attributes, _ := element.(table)
		if said, ok := attributes[name].(bool); ok {
			return said
		}
	}
	return otherwise
}

// dropIns lists the files of a directory in the order engines read them, with
// ours even before it is written.
func (o Options) dropIns(dir, suffix, ours string) ([]string, error) {
	real, err := o.resolve(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(real)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	files := []string{ours}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.Type()&fs.ModeDir == 0 && strings.HasSuffix(path, suffix) && path != ours {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files, nil
}

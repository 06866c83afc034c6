package engines

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// madeFor matches the comment of a drop-in for whose sake a directory was made. Files of earlier
// versions have it, so it must not change.
var madeFor = lazyregexp.New(`(?m)^# The directory ("/.*") was made for this file\.$`)

// madeComment returns the comment for a drop-in that is to replace before, which is nil if there is
// none. It is "" if no directory is made for the drop-in, or was.
func (o Options) madeComment(path string, before []byte) (string, error) {
	if before != nil {
		if comment := madeFor().Find(before); comment != nil {
			return string(comment) + "\n", nil
		}
		return "", nil
	}
	made := ""
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		resolved, err := o.resolve(dir)
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(resolved); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		made = dir
	}
	if made == "" {
		return "", nil
	}
	return "# The directory " + strconv.Quote(made) + " was made for this file.\n", nil
}

// madeDir returns the directory that was made for a drop-in, as its text says, or "".
func (o Options) madeDir(path string, text []byte) (string, error) {
	found := madeFor().FindSubmatch(text)
	if found == nil {
		return "", nil
	}
	dir, err := strconv.Unquote(string(found[1]))
	if err != nil {
		return "", nil
	}
	if inside, err := filepath.Rel(dir, path); err != nil || !filepath.IsLocal(inside) {
		return "", nil
	}
	return o.resolve(dir)
}

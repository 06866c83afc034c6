package engines

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// read returns the content of a file below Root, or nil for a file that does not
// exist.
func (o Options) read(path string) ([]byte, error) {
	resolved, err := o.resolve(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(resolved)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && text == nil {
		text = []byte{} // the file exists and is empty
	}
	return text, err
}

// shown returns a path as errors name it: with Root, or the reader would correct the file of this
// machine.
func (o Options) shown(path string) string { return filepath.Join(o.Root, path) }

// resolve returns the real location of path below Root, with symbolic links
// followed, so that a file is written where a link points and the link stays. A
// link out of Root is an error: followed from an image, it would lead to the
// files of this machine. The last elements of path need not exist.
func (o Options) resolve(path string) (string, error) {
	full := filepath.Join(o.Root, path)
	base, missing := full, ""
	for {
		_, err := os.Lstat(base)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		base, missing = filepath.Dir(base), filepath.Join(filepath.Base(base), missing)
	}
	resolved, err := filepath.EvalSymlinks(base)
	if err != nil {
		return "", fmt.Errorf("follow the symbolic links of %s: %w; correct or remove the link",
			full, err)
	}
	if o.Root != "" {
		root, err := filepath.EvalSymlinks(o.Root)
		if err != nil {
			return "", fmt.Errorf("--root: %w", err)
		}
		if inside, err := filepath.Rel(root, resolved); err != nil || !filepath.IsLocal(inside) {
			return "", fmt.Errorf("%s is a symbolic link out of --root, to %s: "+
				"make it a relative link", full, resolved)
		}
	}
	return filepath.Join(resolved, missing), nil
}

// dropIns returns the paths of the files in a directory that end in suffix, in
// the order in which engines read them. The list includes own, the drop-in of
// port-restricter, even before that file is written.
func (o Options) dropIns(dir, suffix, own string) ([]string, error) {
	resolved, err := o.resolve(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(resolved)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	files := []string{own}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.Type()&fs.ModeDir == 0 && strings.HasSuffix(path, suffix) && path != own {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files, nil
}

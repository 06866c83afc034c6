package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A file is one that the node is to have.
type file struct {
	path string // on the node
	text []byte
	mode fs.FileMode
	// kept means that the administrator may change it: a changed one stays.
	kept bool
}

// marker is in the first line of every unit, by which later versions know it as their own. So it
// must not change.
const marker = "# Written by port-restricter-node; its uninstall removes this file.\n"

// files returns the files of the tree, for the places where they are on a node. /usr is read-only
// on many nodes: programs go below the prefix, units where an administrator's are.
func (n Node) files() (files []file, err error) {
	err = filepath.WalkDir(n.Tree, func(full string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(full)
		if err != nil {
			return err
		}
		in, err := filepath.Rel(n.Tree, full)
		if err != nil {
			return err
		}
		dir, name := path.Split("/" + filepath.ToSlash(in))
		switch dir {
		case "/usr/bin/":
			files = append(files, file{path.Join(n.Prefix, "bin", name), text, 0o755, false})
		case "/usr/lib/systemd/system/":
			files = append(files, file{path.Join(unitDir, name), n.unit(text), 0o644, false})
		case "/etc/port-restricter/":
			files = append(files, file{path.Join(configDir, name), text, 0o644, true})
		default:
			return fmt.Errorf("%s has no place on a node", full)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("read the files to install, --tree %s: %w", n.Tree, err)
	}
	return files, nil
}

// unit returns the text of a unit as it is on a node. systemd makes the agent's user while the
// agent runs: nothing is added to /etc/passwd, which some nodes can't change, and nothing stays.
// There is no group of this name before then, so that the control socket is root's alone.
func (n Node) unit(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("/usr/bin/port-restricter"), []byte(n.program()))
	for _, change := range [][2]string{
		{"\nUser=port-restricter\n", "\nUser=port-restricter\nDynamicUser=yes\n"},
		{"\nSocketGroup=port-restricter\n", "\nSocketGroup=root\n"},
	} {
		text = bytes.ReplaceAll(text, []byte(change[0]), []byte(change[1]))
	}
	return slices.Concat([]byte(marker), text)
}

// isUnit returns the name of the unit that is at a path, or "".
func isUnit(onNode string) string {
	if dir, name := path.Split(onNode); dir == unitDir+"/" {
		return name
	}
	return ""
}

// read returns what a file of the node has, or nil if there is none.
func (n Node) read(onNode string) ([]byte, error) {
	text, err := os.ReadFile(n.at(onNode))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if text == nil && err == nil {
		text = []byte{}
	}
	return text, err
}

func sum(text []byte) string {
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

// A change is a file that is not yet as it is to be.
type change struct {
	file
	isNew bool
}

// changes returns the files that are to be written, and fails if one of somebody else is in the
// way.
func (n Node) changes(files []file, l *ledger) (changes []change, err error) {
	for _, f := range files {
		now, err := n.read(f.path)
		if err != nil {
			return nil, err
		}
		own := slices.Contains(l.Files[f.path], sum(now)) ||
			isUnit(f.path) != "" && strings.HasPrefix(string(now), marker)
		switch {
		case now != nil && bytes.Equal(now, f.text):
		case now == nil || own:
			changes = append(changes, change{f, now == nil})
		case f.kept:
			n.Log.WithField("file", f.path).Info("stays as it is: the administrator changed it")
		default:
			return nil, fmt.Errorf("%s is on this node, and is not from here: "+
				"remove what installed it, or move it away", f.path)
		}
	}
	return changes, nil
}

package node

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/port-restricter/port-restricter/internal/atomicfile"
)

// A ledger says what is on a node because of port-restricter. It is written before anything is
// done, so that it has at least all that there is. It is beside the programs: some nodes lose /etc
// when they boot.
type ledger struct {
	// Files are the files, with the hash of each text that was written and may be there.
	Files map[string][]string `json:"files"`
	// Dirs are the directories that were made, those above before those in them.
	Dirs []string `json:"dirs,omitempty"`
	// Units are those that were enabled.
	Units []string `json:"units,omitempty"`
	// Engine is the engine that was configured, or "".
	Engine string `json:"engine,omitempty"`
	// Restart are units that run with what was there before.
	Restart []string `json:"restart,omitempty"`

	isThere bool // on the node
}

func (n Node) ledgerPath() string {
	return path.Join(n.Prefix, "lib", "port-restricter", "node.json")
}

// readLedger returns the ledger, which is empty on a node without one.
func (n Node) readLedger() (*ledger, error) {
	l := &ledger{Files: map[string][]string{}}
	text, err := n.read(n.ledgerPath())
	if err != nil || text == nil {
		return l, err
	}
	l.isThere = true
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("read %s, which has what is installed: %w", n.ledgerPath(), err)
	}
	return l, nil
}

// save writes the ledger if it has changed.
func (n Node) save(l *ledger) error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	now, err := n.read(n.ledgerPath())
	if err != nil || string(now) == string(text) {
		return err
	}
	if err := os.MkdirAll(path.Dir(n.at(n.ledgerPath())), 0o755); err != nil {
		return err
	}
	return atomicfile.Replace(n.at(n.ledgerPath()), text, 0o644)
}

// note adds what is about to be written.
func (n Node) note(l *ledger, changes []change) {
	n.noteDirs(l, n.ledgerPath())
	for _, c := range changes {
		if hash := sum(c.text); !slices.Contains(l.Files[c.path], hash) {
			l.Files[c.path] = append(l.Files[c.path], hash)
		}
		n.noteDirs(l, c.path)
	}
}

// noteDirs adds the directories that are to be made for a file.
func (n Node) noteDirs(l *ledger, file string) {
	for _, dir := range n.missing(path.Dir(file)) {
		if !slices.Contains(l.Dirs, dir) {
			l.Dirs = append(l.Dirs, dir)
		}
	}
}

// missing returns the directories that are to be made for dir, those above first.
func (n Node) missing(dir string) (missing []string) {
	for ; dir != "/"; dir = path.Dir(dir) {
		if _, err := os.Stat(n.at(dir)); err == nil {
			break
		}
		missing = append([]string{dir}, missing...)
	}
	return missing
}

// settle forgets texts that are no longer there.
func (l *ledger) settle(files []file) {
	for _, f := range files {
		if hash := sum(f.text); slices.Contains(l.Files[f.path], hash) {
			l.Files[f.path] = []string{hash}
		}
	}
}

// cleanUp removes what a run that was killed has left beside the files.
func (n Node) cleanUp(files map[string][]string) error {
	dirs := map[string]bool{path.Dir(n.ledgerPath()): true}
	for name := range files {
		dirs[path.Dir(name)] = true
	}
	for dir := range dirs {
		entries, err := os.ReadDir(n.at(dir))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		for _, entry := range entries {
			name := entry.Name()
			if entry.Type() == fs.FileMode(0) && strings.HasPrefix(name, atomicfile.Temporary) {
				if err := os.Remove(n.at(path.Join(dir, name))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

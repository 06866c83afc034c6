package cluster

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// ownFiles are directories of the node whose files come and go as pods do.
var ownFiles = []string{"var/lib/cni", "var/lib/crio", "var/tmp", "var/cache"}

// state describes what on the node is not as on this machine: files, with their modes and hashes,
// and what systemd has of port-restricter.
func (n node) state() map[string]string {
	n.t.Helper()
	root, found := n.path("/changes"), map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		if slices.Contains(ownFiles, name) {
			return fs.SkipDir
		}
		if now := n.describe(path); now != n.describe("/"+name) {
			found[name] = now
		}
		return nil
	})
	require.NoError(n.t, err)
	for _, name := range []string{
		"/run/port-restricter", "/run/port-restricter-kubernetes", "/var/lib/kubelet/seccomp",
	} {
		if entries, err := os.ReadDir(n.path(name)); !errors.Is(err, fs.ErrNotExist) {
			found[name] = fmt.Sprint(entries, err)
		}
	}
	units := n.Sh("systemctl list-units --all --plain --no-legend 'port-restricter*'")
	if units != "" {
		found["units"] = units
	}
	return found
}

// describe returns the mode and the content of a file, or "" if there is none.
func (n node) describe(path string) string {
	n.t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		return ""
	}
	content := ""
	switch info.Mode().Type() {
	case 0:
		text, err := os.ReadFile(path)
		require.NoError(n.t, err)
		content = fmt.Sprintf("%x", sha256.Sum256(text))
	case fs.ModeSymlink:
		content, err = os.Readlink(path)
		require.NoError(n.t, err)
	}
	return fmt.Sprint(info.Mode(), " ", content)
}

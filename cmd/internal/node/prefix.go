package node

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// checkPrefix fails if the node can't have programs below the prefix. By default, programs are in
// /usr/local/bin: it is in every PATH, it is apart from /usr, which is read-only on many nodes, and
// where SELinux decides, systemd may run what is there, as it may not in /var/lib.
func (n Node) checkPrefix() error {
	const choose = "choose another directory with --prefix, and mount it: docs/kubernetes.md"
	var about unix.Statfs_t
	err := unix.Statfs(n.at(n.Prefix), &about)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--prefix %s is not a directory of this node, or not mounted at %s; %s",
			n.Prefix, n.at(n.Prefix), choose)
	case err != nil:
		return fmt.Errorf("--prefix %s: %w", n.Prefix, err)
	case about.Flags&unix.ST_RDONLY != 0:
		return fmt.Errorf("--prefix %s is read-only on this node; %s", n.Prefix, choose)
	case about.Flags&unix.ST_NOEXEC != 0:
		return fmt.Errorf("no program can run in --prefix %s of this node (noexec); %s",
			n.Prefix, choose)
	}
	return nil
}

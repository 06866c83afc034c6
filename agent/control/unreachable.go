package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// explain returns an error that says why the agent can't be asked, and what to do.
func (c *Client) explain(err error) error {
	const lost = "Containers that an agent served when it was stopped can bind no port any more: " +
		"restart them once it runs"
	// What was asked for is a URL that nobody has written.
	if asked := (*url.Error)(nil); errors.As(err, &asked) {
		err = asked.Err
	}
	systemctl := "systemctl"
	if isOfUser(c.path) {
		systemctl = "systemctl --user"
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no agent: there is no control socket at %s. Start the agent "+
			"(%s start port-restricter-control.socket port-restricter, or port-restricter agent),"+
			" or name the socket of another one with --socket. %s: %w",
			c.path, systemctl, lost, err)
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("no agent: nobody listens on the control socket %s. The agent does not "+
			"run: start it (%s start port-restricter-control.socket port-restricter, or "+
			"port-restricter agent). %s: %w", c.path, systemctl, lost, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the control socket %s is for root and %s only: %w",
			c.path, members(c.path), err)
	case errors.Is(err, unix.ENOTSOCK), errors.Is(err, unix.EPROTOTYPE):
		return fmt.Errorf("%s is not the control socket of an agent: %w", c.path, err)
	case isTimeout(err):
		return fmt.Errorf("the agent at %s does not answer: is it stopped, or starting? "+
			"See %s status port-restricter: %w", c.path, systemctl, err)
	case isDial(err):
		return fmt.Errorf("ask the agent at %s: %w", c.path, err)
	}
	return fmt.Errorf("%s answered, and not as an agent's control socket does: name that one, "+
		"which is control.sock beside agent.sock: %w", c.path, err)
}

// isOfUser reports whether a path is where an ordinary user's own agent has its sockets, which the
// user's systemd starts.
func isOfUser(path string) bool {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	inside, err := filepath.Rel(dir, path)
	return os.Geteuid() != 0 && dir != "" && err == nil && filepath.IsLocal(inside)
}

func isDial(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// members says who else than root may connect to the socket.
func members(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "those who can enter its directory"
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "its owner"
	}
	if info.Mode().Perm()&0o060 == 0o060 && owner.Gid != 0 {
		name := strconv.Itoa(int(owner.Gid))
		if group, err := user.LookupGroupId(name); err == nil {
			name = group.Name
		}
		return fmt.Sprintf("members of the group %s (usermod -aG %s USER, and log in again)",
			name, name)
	}
	name := strconv.Itoa(int(owner.Uid))
	if account, err := user.LookupId(name); err == nil {
		name = account.Username
	}
	return "its owner, the user " + name
}

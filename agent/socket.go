package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// pathLimit is how long the path of a socket may be, in bytes: sun_path in unix(7), which the
// kernel ends with a NUL.
const pathLimit = 107

// otherPath is the mend where the agent's user may not make files.
const otherPath = "choose another path with --socket (in $XDG_RUNTIME_DIR for an ordinary user), " +
	"or run the agent as root"

// ListenUnix creates a socket that only its owner can connect to, and makes its directory, but none
// above that. It replaces a socket on which nobody listens. It fails if a process listens, or if
// path is not a socket. what is the socket in errors.
func ListenUnix(what, path string) (*net.UnixListener, error) {
	if len(path) > pathLimit {
		return nil, fmt.Errorf("%s %s: the path has %d bytes, and the kernel takes %d: "+
			"choose a shorter one with --socket", what, path, len(path), pathLimit)
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make the directory of the %s: %w", what, err)
	}
	// Two agents that start at the same time must not both find nobody listening and
	// remove each other's socket.
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(what, path); err != nil {
		return nil, err
	}
	// bind(2) creates the socket with the mode that the umask leaves, so nobody else
	// can connect before a chmod.
	before := unix.Umask(0o177)
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("listen on the %s: %w", what, err)
	}
	return socket, nil
}

// makeDir makes a directory, if it is not there. It makes none above, where a path that is mistyped
// would leave some.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		return nil
	}
	if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		above := filepath.Dir(dir)
		return fmt.Errorf("there is no directory %s: make it (mkdir -p %s), "+
			"or choose another path with --socket", above, above)
	}
	return fmt.Errorf("%w: %s", err, otherPath)
}

// removeStale removes a socket on which nobody listens.
func removeStale(what, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("inspect the %s: %w", what, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s %s: the file there (%s) is not a socket: "+
			"remove it, or choose another path with --socket", what, path, info.Mode())
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%s %s: another agent listens on it: "+
			"stop that one, or choose another path with --socket", what, path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%s %s: determine whether an agent listens on it: %w", what, path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the stale %s: %w", what, err)
	}
	return nil
}

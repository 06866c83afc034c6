package shim

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config/settings"
)

// usualRuntimes are tried in this order where none is named.
var usualRuntimes = []string{"runc", "crun"}

// usualPath is searched behind PATH, which engines and ordinary users may have
// without sbin.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// itself is our own program.
const itself = "/proc/self/exe"

// realRuntime is the path of the OCI runtime to become: that of the settings,
// or the first usual one. Never ourselves: that would go on for ever.
func realRuntime(named string) (string, error) {
	if strings.ContainsRune(named, filepath.Separator) {
		if !filepath.IsAbs(named) {
			return "", fmt.Errorf("the OCI runtime %q is a relative path, and engines start us anywhere: write an absolute one, or a name in PATH, into runtime of %s or PORT_RESTRICTER_RUNTIME", named, settings.DefaultPath)
		}
		return named, runnable(named)
	}
	names := usualRuntimes
	if named != "" {
		names = []string{named}
	}
	var ourselves error
	for _, name := range names {
		for _, dir := range filepath.SplitList(os.Getenv("PATH") + ":" + usualPath) {
			path := filepath.Join(dir, name)
			if !filepath.IsAbs(path) {
				continue // the working directory is the bundle, or anything
			}
			switch err := runnable(path); {
			case err == nil:
				return path, nil
			case errors.Is(err, errOurselves):
				ourselves = err
			}
		}
	}
	return "", cmp.Or(ourselves, fmt.Errorf("no OCI runtime %s in PATH=%s or %s: install it, or name another by runtime in %s or PORT_RESTRICTER_RUNTIME",
		strings.Join(names, " or "), os.Getenv("PATH"), usualPath, settings.DefaultPath))
}

var errOurselves = errors.New("that is port-restricter itself")

func runnable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("find the OCI runtime: %w", err)
	}
	if ours, err := os.Stat(itself); err == nil && os.SameFile(info, ours) {
		return fmt.Errorf("the OCI runtime %s: %w: name the runtime behind it, as runc or crun, by runtime in %s or PORT_RESTRICTER_RUNTIME", path, errOurselves, settings.DefaultPath)
	}
	if !info.Mode().IsRegular() {
		err = fs.ErrPermission
	} else {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return fmt.Errorf("the OCI runtime %s can't be executed: %w", path, err)
	}
	return nil
}

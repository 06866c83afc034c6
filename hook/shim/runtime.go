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
	"github.com/port-restricter/port-restricter/internal/programs"
)

// usualRuntimes are tried in this order if the settings name no runtime.
var usualRuntimes = []string{"runc", "crun"}

// usualPath is searched after PATH, which often lacks sbin for engines and ordinary
// users.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// itself returns the paths of port-restricter: that of the program that this process runs, and that
// of the one that engines run, beside it.
func itself() []string {
	const self = "/proc/self/exe"
	restricter, err := programs.Beside(programs.Restricter)
	if err != nil {
		return []string{self}
	}
	return []string{self, restricter}
}

// FindRuntime returns the path of the OCI runtime to become. named is the runtime of
// the settings: an absolute path, a name to search for, or "" for the first usual
// one. The path is never that of this program, which would run itself for ever.
func FindRuntime(named string) (string, error) {
	if strings.ContainsRune(named, filepath.Separator) {
		if !filepath.IsAbs(named) {
			return "", fmt.Errorf("the OCI runtime %q is a relative path, and engines start"+
				" runtimes in any directory: name the runtime by an absolute path,"+
				" or by a name in PATH, %s", named, setRuntime)
		}
		return named, runnable(named)
	}
	names := usualRuntimes
	if named != "" {
		names = []string{named}
	}
	var foundItself error
	for _, name := range names {
		for _, dir := range filepath.SplitList(os.Getenv("PATH") + ":" + usualPath) {
			path := filepath.Join(dir, name)
			if !filepath.IsAbs(path) {
				continue // the working directory is the bundle, or any other directory
			}
			switch err := runnable(path); {
			case err == nil:
				return path, nil
			case errors.Is(err, errItself):
				foundItself = err
			}
		}
	}
	return "", cmp.Or(foundItself, fmt.Errorf("no OCI runtime %s in PATH=%s or %s:"+
		" install one, or name another one %s",
		strings.Join(names, " or "), os.Getenv("PATH"), usualPath, setRuntime))
}

// setRuntime is the end of the error messages that ask for another runtime.
const setRuntime = "with runtime in " + settings.DefaultPath + " or with PORT_RESTRICTER_RUNTIME"

var errItself = errors.New("that is port-restricter itself")

// runnable fails unless path is a file that this process may execute, and is not
// port-restricter.
func runnable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("find the OCI runtime: %w: name another one %s", err, setRuntime)
	}
	for _, name := range itself() {
		if this, err := os.Stat(name); err == nil && os.SameFile(info, this) {
			return fmt.Errorf("the OCI runtime %s: %w: name the runtime behind it,"+
				" runc or crun for example, %s", path, errItself, setRuntime)
		}
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

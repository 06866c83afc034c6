package supervise

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A failure is the reason why CMD could not be run, and the exit status that tells it.
type failure struct {
	message string
	status  int
}

func (f failure) Error() string { return f.message }

// Exit statuses for a command that did not run, as in env(1) and nohup(1).
const (
	statusNotExecutable = 126
	statusNotFound      = 127
)

// candidates returns the paths that execvp(3) would try for name, and whether they come
// from PATH. exec.LookPath has other rules: it refuses ".", and after EACCES it does not
// try the next directory, nor the shell after ENOEXEC.
func candidates(name string) (paths []string, searched bool) {
	if strings.Contains(name, "/") {
		return []string{name}, false
	}
	path, set := os.LookupEnv("PATH")
	if !set {
		path = "/bin:/usr/bin"
	}
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		if name != "" {
			paths = append(paths, dir+"/"+name)
		}
	}
	return paths, true
}

// cannotRun returns the failure for a command that could not be executed.
func cannotRun(name string, err unix.Errno) failure {
	switch {
	case err != unix.ENOENT:
		return failure{fmt.Sprintf("run %q: %v", name, err), statusNotExecutable}
	case strings.Contains(name, "/"):
		return failure{fmt.Sprintf("run %q: %v", name, err), statusNotFound}
	default:
		return failure{fmt.Sprintf("run %q: command not found in PATH", name), statusNotFound}
	}
}

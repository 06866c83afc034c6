package supervise

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// failure is why CMD could not be run.
type failure struct {
	message string
	status  int
}

func (f failure) Error() string { return f.message }

// Statuses of a command that did not run, as of env(1) and nohup(1).
const (
	statusNotExecutable = 126
	statusNotFound      = 127
)

// candidates are the paths that execvp(3) tries. exec.LookPath has other rules: it refuses ".", and tries neither the next
// directory after EACCES nor the shell after ENOEXEC.
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

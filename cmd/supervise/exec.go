package supervise

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// failure is what the child tells the parent, as JSON, when CMD could not be run.
type failure struct {
	Message string `json:"message"`
	Status  int    `json:"status"`
}

func (f failure) Error() string { return f.Message }

// Statuses of a command that did not run, as of env(1) and nohup(1).
const (
	statusOurs          = 125
	statusNotExecutable = 126
	statusNotFound      = 127
)

// execCommand does as execvp(3) and, for the error, as a shell, and returns only on failure. exec.LookPath has other rules: it refuses ".", and
// tries neither the next directory after EACCES nor the shell after ENOEXEC.
func execCommand(args, env []string) failure {
	name := args[0]
	if name == "" || strings.Contains(name, "/") {
		return cannotRun(name, tryExec(name, args, env))
	}
	path, set := os.LookupEnv("PATH")
	if !set {
		path = "/bin:/usr/bin"
	}
	result := error(syscall.ENOENT)
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		path := dir + "/" + name
		switch err := tryExec(path, args, env); err {
		case syscall.ENOENT, syscall.ENOTDIR, syscall.ESTALE, syscall.ENODEV, syscall.ETIMEDOUT:
		case syscall.EACCES:
			// A shell says "not found" where it was only the directory (root's, in the PATH of a user) that it could not search.
			if _, missing := os.Stat(path); missing == nil {
				result = err
			}
		default:
			return cannotRun(name, err)
		}
	}
	return cannotRun(name, result)
}

func tryExec(path string, args, env []string) error {
	err := syscall.Exec(path, args, env)
	if err == syscall.ENOEXEC {
		err = syscall.Exec("/bin/sh", append([]string{"/bin/sh", path}, args[1:]...), env)
	}
	return err
}

func cannotRun(name string, err error) failure {
	switch {
	case !errors.Is(err, syscall.ENOENT):
		return failure{fmt.Sprintf("run %q: %v", name, err), statusNotExecutable}
	case strings.Contains(name, "/"):
		return failure{fmt.Sprintf("run %q: %v", name, err), statusNotFound}
	default:
		return failure{fmt.Sprintf("run %q: command not found in PATH", name), statusNotFound}
	}
}

// Package programs has the names of the programs, and finds them: they are installed beside each
// other.
package programs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The names of the programs.
const (
	// Restricter is what users and engines call. It has what a process or a container waits for
	// while it starts, and becomes another program for everything else.
	Restricter = "port-restricter"
	// Admin has all commands.
	Admin = "port-restricter-admin"
	// NRI is a plugin of container engines. It depends on gRPC, protobuf and WebAssembly, which
	// must not be in the agent's process.
	NRI = "port-restricter-nri"
)

// Beside returns the path of a program that is installed beside this one.
func Beside(program string) (string, error) {
	executable, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", program, err)
	}
	return filepath.Join(filepath.Dir(executable), program), nil
}

// Become executes a program beside this one in place of this one, under the name argv[0]. It
// returns only if that fails.
func Become(program string, argv []string) error {
	path, err := Beside(program)
	if err != nil {
		return err
	}
	err = syscall.Exec(path, argv, os.Environ())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: install %s beside %s (make build builds both)",
			path, program, filepath.Base(os.Args[0]))
	}
	return fmt.Errorf("run %s: %w", path, err)
}

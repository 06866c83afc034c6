package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

// newNRI returns a command that becomes another program, port-restricter-nri beside
// this one. NRI depends on gRPC, protobuf and WebAssembly. They must not be in the
// agent's process, and must not be initialized each time that a command starts.
func newNRI() *cobra.Command {
	return &cobra.Command{
		Use: "nri",
		Short: "Put the filter into containers that must be restricted, as an NRI plugin" +
			" (containerd 2.2 and newer)",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			executable, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find port-restricter-nri: %w", err)
			}
			path := filepath.Join(filepath.Dir(executable), "port-restricter-nri")
			err = syscall.Exec(path, append([]string{"port-restricter nri"}, args...), os.Environ())
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is no %s: install port-restricter-nri beside"+
					" port-restricter (make build builds both)", path)
			}
			return fmt.Errorf("run %s: %w", path, err)
		},
	}
}

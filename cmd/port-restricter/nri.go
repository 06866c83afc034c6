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

// newNRI becomes the program beside ours: what NRI brings along (gRPC,
// protobuf, WebAssembly) is neither to be in the agent's process nor to be
// initialized at the start of each command.
func newNRI() *cobra.Command {
	return &cobra.Command{
		Use:                "nri",
		Short:              "Put the filter into annotated containers as an NRI plugin of containerd (2.2 or newer)",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			executable, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find port-restricter-nri: %w", err)
			}
			path := filepath.Join(filepath.Dir(executable), "port-restricter-nri")
			err = syscall.Exec(path, append([]string{"port-restricter nri"}, args...), os.Environ())
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is no %s: install it beside port-restricter; make build makes both", path)
			}
			return fmt.Errorf("run %s: %w", path, err)
		},
	}
}

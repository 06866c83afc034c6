//go:build pages

package main

import (
	"fmt"
	"os"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/pages"
)

// init makes this program another one, which the build of packages runs:
//
//	go run -tags seccomp,pages ./cmd/port-restricter-nri DIR
//
// It writes the manual page of this program into DIR. Only this program has the flags of
// `port-restricter nri`, so its page replaces that of the command.
func init() {
	root := newNRI()
	root.Use = "port-restricter-nri"
	if err := pages.Commands(root, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(cli.StatusFailure)
	}
	os.Exit(0)
}

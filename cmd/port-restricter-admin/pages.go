//go:build pages

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/pages"
)

// init makes this program another one, which the build of packages runs:
//
//	go run -tags seccomp,pages ./cmd/port-restricter-admin DIR FILE.md...
//
// It writes the manual pages of the commands and of the files, and the completions, into DIR.
func init() {
	dir, texts := os.Args[1], os.Args[2:]
	err := errors.Join(pages.Commands(newRoot(), dir), pages.Completions(newRoot(), dir),
		pages.Texts(texts, dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(cli.StatusFailure)
	}
	os.Exit(0)
}

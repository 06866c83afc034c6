// Package pages writes what the packages contain beside the programs and that their commands
// describe: manual pages, and the completions of shells. Only the build of packages runs it.
package pages

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Commands writes the manual pages of a program's commands into dir/man.
func Commands(root *cobra.Command, dir string) error {
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "port-restricter", Manual: "Commands"}
	man, err := directory(dir, "man")
	if err != nil {
		return err
	}
	return doc.GenManTree(root, header, man) // its date is SOURCE_DATE_EPOCH
}

// Completions writes the completions of a program's commands into dir/completions.
func Completions(root *cobra.Command, dir string) error {
	to, err := directory(dir, "completions")
	if err != nil {
		return err
	}
	for shell, write := range map[string]func(path string) error{
		"bash": func(path string) error { return root.GenBashCompletionFileV2(path, true) },
		"zsh":  root.GenZshCompletionFile,
		"fish": func(path string) error { return root.GenFishCompletionFile(path, true) },
	} {
		if err := write(filepath.Join(to, shell)); err != nil {
			return fmt.Errorf("write the completion of %s: %w", shell, err)
		}
	}
	return nil
}

// Texts writes the manual pages that are written by hand into dir/man. The Markdown of
// name(5) is in the file name.5.md.
func Texts(files []string, dir string) error {
	man, err := directory(dir, "man")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		page := filepath.Join(man, strings.TrimSuffix(filepath.Base(file), ".md"))
		if err := os.WriteFile(page, md2man.Render(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func directory(dir, name string) (string, error) {
	dir = filepath.Join(dir, name)
	return dir, os.MkdirAll(dir, 0o755)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/learn"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// learning is what the flags of learn ask for.
type learning struct {
	from, container string
	format, output  string
	agent           controlFlag
	limit           time.Duration

	dialects []learn.Dialect
	stderr   io.Writer
	out      io.Writer // that of the flag --output, or the default
}

func newLearn() *cobra.Command {
	var l learning
	command := &cobra.Command{
		Use:   "learn [flags] -- CMD [ARG...]",
		Short: "Say which ports a command, or containers, need",
		Long: "Say which ports a command, or containers, need.\n" +
			"Run a command without restricting it, and print at its end, on standard error, the\n" +
			"ports that it needs, as flags, annotations and settings. Or learn from a container\n" +
			"that runs, best with the annotation port-restricter.mode=audit, or from a file of\n" +
			"what the agent said about containers (port-restricter events --all).\n" +
			"A port that was seen stays one port at its address; what could be wider is a comment.",
		Example: "  port-restricter learn -- nginx -g 'daemon off;'\n" +
			"  port-restricter learn --container team-a/web --for 10m\n" +
			"  port-restricter learn --format pod --from events.json --container web",
		RunE: func(command *cobra.Command, args []string) error {
			l.stderr = command.ErrOrStderr()
			if err := l.check(args); err != nil {
				return err
			}
			l.out = l.stderr // a command's own output stays its own
			if len(args) == 0 {
				l.out = command.OutOrStdout()
			}
			if l.output != "" {
				file, err := newLateFile(l.output)
				if err != nil {
					return err
				}
				defer file.Close()
				l.out = file
			}
			if len(args) == 0 && l.from == "" {
				return l.fromAgent(context.Background())
			}
			if len(args) == 0 {
				return l.fromFile(command.InOrStdin())
			}
			status, err := l.fromCommand(args)
			if status == 0 && err == nil {
				return nil
			}
			return cli.StatusError{Status: status, Err: err}
		},
	}
	flags := command.Flags()
	flags.SetInterspersed(false) // flags after CMD belong to CMD
	flags.StringVar(&l.from, "from", "",
		"`FILE` with lines of port-restricter events --all, or - for standard input")
	flags.StringVar(&l.container, "container", "",
		"`NAME` of a container that runs: its id or the beginning of it, its name, or"+
			" NAMESPACE/POD[/NAME]; with --from, the name or id of the only one to learn from")
	flags.DurationVar(&l.limit, "for", 0,
		"how long to learn from a container (default: until Ctrl-C)")
	l.agent.add(flags)
	flags.StringVar(&l.format, "format", "all",
		"`FORMAT` to print: all, or "+strings.Join(formats(), ", "))
	flags.StringVarP(&l.output, "output", "o", "", "`FILE` to write to")
	return command
}

func formats() (names []string) {
	for _, d := range learn.Dialects {
		names = append(names, d.Name)
	}
	return names
}

// check says what is missing, or what contradicts, on the command line.
func (l *learning) check(args []string) error {
	l.dialects = nil
	for _, d := range learn.Dialects {
		if l.format == "all" || l.format == d.Name {
			l.dialects = append(l.dialects, d)
		}
	}
	switch {
	case len(l.dialects) == 0:
		return fmt.Errorf("--format %q is not known: write all, or one of %s",
			l.format, strings.Join(formats(), ", "))
	case len(args) > 0 && l.from != "":
		return fmt.Errorf("learn either runs %q or reads --from %s: leave one of them out",
			args[0], l.from)
	case len(args) > 0 && l.container != "":
		return fmt.Errorf("--container is for containers: leave it out to run %q", args[0])
	case l.limit < 0:
		return fmt.Errorf("--for %s: write a time that is to come, as in 10m", l.limit)
	case l.limit > 0 && (len(args) > 0 || l.from != ""):
		return errors.New("--for is for a container that runs:" +
			" leave it out, or give --container only")
	case len(args) == 0 && l.from == "" && l.container == "":
		return errors.New("nothing to learn from: write port-restricter learn -- CMD [ARG...]," +
			" --container NAME, or --from FILE with what port-restricter events --all has" +
			" printed; see --help")
	}
	return nil
}

// fromFile learns from the lines of a file, or of stdin.
func (l *learning) fromFile(stdin io.Reader) error {
	from, name := stdin, "standard input"
	if l.from != "-" {
		file, err := os.Open(l.from)
		if err != nil {
			return err
		}
		defer file.Close()
		from, name = file, l.from
	}
	var learner learn.Learner
	found := 0
	bad, n, err := learner.Read(from, func(e *learn.Event) bool {
		is := l.container == "" || e.Name == l.container || e.Container == l.container
		if is {
			found++
		}
		return is
	})
	for _, rubbish := range bad {
		fmt.Fprintf(l.stderr, "port-restricter: %s, line %d: %s\n",
			name, rubbish.Line, inquiry.Printable(rubbish.Err.Error()))
	}
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", name, err)
	case found == 0 && l.container != "":
		return fmt.Errorf("%s has no event of a container with the name or id %q",
			name, l.container)
	case found == 0:
		return fmt.Errorf("%s has no event in it: port-restricter events --all prints some", name)
	}
	if err := l.write(&learner, ""); err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%s: %d lines are no events: what they were to say was not learned", name, n)
}

// write writes what was learned of each container.
func (l *learning) write(learner *learn.Learner, command string) error {
	for i, group := range learner.Groups() {
		if i > 0 {
			fmt.Fprintln(l.out)
		}
		if err := group.Write(l.out, l.dialects, command); err != nil {
			return err
		}
	}
	return nil
}

// A lateFile is opened at once, so that an error is told before something is run, and keeps
// what it had until there is something to write.
type lateFile struct {
	*os.File
	written bool
}

func newLateFile(name string) (*lateFile, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	return &lateFile{File: file}, err
}

func (f *lateFile) Write(text []byte) (int, error) {
	if !f.written {
		f.written = true
		if err := f.Truncate(0); err != nil && f.isRegular() {
			return 0, err
		}
	}
	return f.File.Write(text)
}

// isRegular reports whether the file is neither a terminal nor a pipe, which have no length.
func (f *lateFile) isRegular() bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

package start

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// wrongFlag says more about a flag that can't be parsed than the flag's parser does.
func wrongFlag(command *cobra.Command, err error) error {
	see := "see " + command.CommandPath() + " --help"
	var missing *pflag.ValueRequiredError
	if errors.As(err, &missing) && missing.GetFlag().Name == "port" {
		return fmt.Errorf("-p has no ports: write them behind it, as in -p 5000; %s", see)
	}
	if errors.As(err, new(*pflag.NotExistError)) && command.Flags().Lookup("port") != nil {
		see = "a flag of the command to run comes after its name; " + see
	}
	return fmt.Errorf("%w; %s", err, see)
}

// bare prints the help for a call without arguments, and fails: a script whose variables are
// empty must not go on as if something had run.
func bare(command *cobra.Command) error {
	command.SetOut(command.ErrOrStderr())
	if err := command.Help(); err != nil {
		return err
	}
	return cli.StatusError{Status: cli.StatusFailure}
}

// checkPorts fails if the command line has no port, or if another argument has become one.
func checkPorts(command *cobra.Command, ports, args []string) error {
	for _, port := range ports {
		if strings.HasPrefix(port, "-") {
			return fmt.Errorf("-p has no ports, but is followed by %q: "+
				"write the ports behind it, as in -p 5000", port)
		}
	}
	if len(ports) == 0 && len(args) > 0 {
		return noPort(command, args[0])
	}
	return nil
}

// noPort returns the error for a command line without -p. Its first argument may have been
// meant as a command of port-restricter.
func noPort(command *cobra.Command, name string) error {
	if _, err := exec.LookPath(name); err == nil || command.HasParent() {
		return fmt.Errorf("no port given for %q: "+
			"name the ports that the command may bind, for example -p 5000", name)
	}
	return fmt.Errorf("%q is neither a command of port-restricter nor a program in PATH: %s"+
		" To run a program, name the ports that it may bind, for example -p 5000; see --help",
		name, cli.Nearest(command, name))
}

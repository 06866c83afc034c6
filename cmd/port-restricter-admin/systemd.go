package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/start"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/engines"
	"github.com/port-restricter/port-restricter/internal/lazyregexp"
	"github.com/port-restricter/port-restricter/internal/programs"
)

func newSystemd() *cobra.Command {
	var o engines.Options
	var u engines.Unit
	var given start.PolicyFlags
	var dryRun bool
	command := &cobra.Command{
		Use:   "systemd UNIT -p PORTS",
		Short: "Run an installed service of systemd under port-restricter, or no longer",
		Long: "Run an installed service of systemd under port-restricter, or no longer.\n" +
			"It writes a drop-in, /etc/systemd/system/UNIT.d/port-restricter.conf, that puts\n" +
			"port-restricter before each command of ExecStart=.",
		Example: "  port-restricter systemd redis-server -p 6379 --dry-run\n" +
			"  port-restricter systemd web@.service -p %i\n" +
			"  port-restricter systemd redis-server --remove",
		Args: cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one unit, for example: " +
					"port-restricter systemd redis-server.service -p 6379")
			}
			var err error
			if u.Flags, err = unitFlags(given); err != nil && !o.Remove {
				return err
			}
			if o.ConfigHome, err = os.UserConfigDir(); err != nil && u.User {
				return fmt.Errorf("find the directory of this user's units: %w", err)
			}
			if o.Binary == "" {
				if o.Binary, err = programs.Beside(programs.Restricter); err != nil {
					return err
				}
			}
			if u.Name = args[0]; !strings.HasSuffix(u.Name, ".service") {
				u.Name += ".service"
			}
			if err := describeUnit(&u); err != nil && !o.Remove {
				return err
			}
			plan, err := engines.Service(o, u)
			if err != nil {
				return err
			}
			return carryOut(command, plan, dryRun)
		},
	}
	flags := command.Flags()
	given.Add(flags)
	flags.BoolVar(&u.User, "user", false, "a unit of this user's own systemd")
	flags.BoolVar(&dryRun, "dry-run", false, "print the drop-in as a diff, and write nothing")
	flags.BoolVar(&o.Remove, "remove", false, "remove the drop-in")
	flags.StringVar(&o.Binary, "binary", "",
		"`PATH` of the port-restricter that the service will run (default: this program)")
	return command
}

// specifier matches those of systemd.unit(5) that can be ports, as in a template.
var specifier = lazyregexp.New(`%[A-Za-z]`)

// unitFlags returns the flags of the service's command line.
func unitFlags(given start.PolicyFlags) ([]string, error) {
	if len(given.Ports) == 0 {
		return nil, errors.New(
			"no port given: name the ports that the service may bind, for example -p 5000")
	}
	texts := given.Texts()
	texts.Ports = specifier().ReplaceAllString(texts.Ports, "1")
	texts.Map = specifier().ReplaceAllString(texts.Map, "1")
	_, err := config.ParsePolicy(texts)
	return given.Arguments(), err
}

// describeUnit asks systemd for the unit's name, without aliases, and its files.
func describeUnit(u *engines.Unit) error {
	instance := strings.Replace(u.Name, "@.", "@instance.", 1)
	args := []string{"show", "--property=Id,LoadState,NeedDaemonReload,FragmentPath,DropInPaths," +
		"NoExecPaths,SystemCallFilter", "--", instance}
	if u.User {
		args = append([]string{"--user"}, args...)
	}
	show := exec.Command("systemctl", args...)
	var stderr bytes.Buffer
	show.Stderr = &stderr
	out, err := show.Output()
	if err != nil {
		said := strings.Join(strings.Fields(stderr.String()), " ")
		return fmt.Errorf("ask systemd for %s: %w: %s", u.Name, err, said)
	}
	properties := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[name] = value
	}
	if state := properties["LoadState"]; state != "loaded" {
		return fmt.Errorf("systemd has no unit %s to run (LoadState=%s)", u.Name, state)
	}
	if properties["NeedDaemonReload"] == "yes" {
		return fmt.Errorf("systemd has not read the files of %s since they changed: "+
			"run systemctl daemon-reload, then this command again", u.Name)
	}
	if instance == u.Name {
		u.Name = properties["Id"]
	}
	u.NoExecPaths = properties["NoExecPaths"] != ""
	// systemd 252 shows an empty list of denied calls for a unit without a filter.
	filter := properties["SystemCallFilter"]
	u.SystemCallFilter = filter != "" && filter != "~"
	u.Files = append(strings.Fields(properties["FragmentPath"]),
		strings.Fields(properties["DropInPaths"])...)
	return nil
}

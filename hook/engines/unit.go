package engines

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// A Unit is an installed service of systemd.
type Unit struct {
	Name string // with its suffix; for a template as in web@.service
	// Files are the files of the unit in the order in which systemd applies them.
	Files []string
	// NoExecPaths is set if the unit has NoExecPaths=, systemd.exec(5).
	NoExecPaths bool
	// SystemCallFilter is set if the unit has SystemCallFilter=, systemd.exec(5).
	SystemCallFilter bool
	// User is set if the unit is one of the user's own manager. Options.ConfigHome is then
	// the user's ~/.config.
	User bool
	// Flags are the arguments of port-restricter before the "--".
	Flags []string
}

// supervisorCalls are those calls of a supervisor, and of the command's second lock, that are
// not in systemd's set @system-service.
const supervisorCalls = "seccomp pidfd_open pidfd_getfd process_vm_readv kcmp " +
	"landlock_create_ruleset landlock_add_rule landlock_restrict_self"

// unitMarker is at the top of every drop-in. Files of earlier versions are recognized by
// it, so it must not change.
const unitMarker = "# Written by port-restricter systemd "

// unitDropIn is the name of the drop-in. systemd applies drop-ins in the order of their
// names, and override.conf, which `systemctl edit` writes, comes before.
const unitDropIn = "port-restricter.conf"

// plain matches what has no meaning to systemd in a command line, except for specifiers.
var plain = lazyregexp.New(`^[A-Za-z0-9/._,:*%\[\]=+-]+$`)

// Service returns the plan that runs the program of a service under port-restricter: a
// drop-in that puts it before each command of ExecStart=.
func Service(o Options, u Unit) (*Plan, error) {
	systemctl, dir := "systemctl", "/etc/systemd/system"
	if u.User {
		systemctl, dir = "systemctl --user", filepath.Join(o.ConfigHome, "systemd/user")
	}
	name := strings.Replace(u.Name, "@.", "@INSTANCE.", 1) // of a template
	plan := &Plan{Next: systemctl + " daemon-reload && " + systemctl + " restart " + name}
	dropIn := ownFile{
		path: filepath.Join(dir, u.Name+".d", unitDropIn), mode: 0o644,
		isOwn: func(text []byte) bool { return strings.HasPrefix(string(text), unitMarker) },
	}
	if !o.Remove {
		text, err := u.dropInText(o, dropIn.path)
		if err != nil {
			return nil, err
		}
		dropIn.text = []byte(text)
	}
	if err := plan.writeOwn(o, dropIn); err != nil {
		return nil, err
	}
	for i := range plan.Changes {
		plan.Changes[i].ownDir = filepath.Dir(plan.Changes[i].Path)
	}
	return plan, nil
}

// dropInText returns the content of the drop-in at path.
func (u Unit) dropInText(o Options, path string) (string, error) {
	if !plain().MatchString(o.Binary) || strings.Contains(o.Binary, "%") {
		return "", fmt.Errorf("--binary %q: systemd would take some of its characters "+
			"for quotes or the like; install port-restricter in /usr/bin", o.Binary)
	}
	if err := o.checkBinary(); err != nil {
		return "", err
	}
	commands, from, err := u.values(o, path, "ExecStart")
	if err != nil {
		return "", err
	}
	if len(commands) == 0 {
		return "", fmt.Errorf("%s has no ExecStart=", u.Name)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s%s; add --remove to delete this file.\n", unitMarker, u.Name)
	fmt.Fprintf(&text, "# It replaces ExecStart= of %s.\n"+
		"# When that changes, run the command again.\n[Service]\n", from)
	flags := u.Flags
	kind, _, err := u.values(o, path, "Type")
	if err != nil {
		return "", err
	}
	pidFile, _, err := u.values(o, path, "PIDFile")
	if err != nil {
		return "", err
	}
	if len(pidFile) > 0 {
		// After a reload, systemd would take the main process from the file, which is not
		// its child, so that it learns no exit status.
		text.WriteString("PIDFile=\n")
	}
	if len(kind) > 0 && kind[len(kind)-1] == "forking" {
		// port-restricter stays as long as the daemon, and says when it is ready.
		text.WriteString("Type=notify\n")
		if flags = append(flags, "--forks"); len(pidFile) > 0 {
			flags = append(flags, "--pid-file", absolute(pidFile[len(pidFile)-1]))
		}
	}
	for _, flag := range flags {
		if !plain().MatchString(flag) {
			return "", fmt.Errorf("%q: write it without blanks and quotes", flag)
		}
	}
	text.WriteString("ExecStart=\n")
	for _, command := range commands {
		prefix, rest, err := cutPrefix(command)
		if err != nil {
			return "", fmt.Errorf("%s: ExecStart=%s: %w", from, command, err)
		}
		fmt.Fprintf(&text, "ExecStart=%s%s %s -- %s\n",
			prefix, o.Binary, strings.Join(flags, " "), rest)
	}
	if u.NoExecPaths {
		fmt.Fprintf(&text, "ExecPaths=%s\n", o.Binary)
	}
	if u.SystemCallFilter {
		// Added to a list of allowed calls, or taken out of one of denied calls.
		fmt.Fprintf(&text, "SystemCallFilter=%s\n", supervisorCalls)
	}
	return text.String(), nil
}

// absolute returns a path of PIDFile= as systemd takes it.
func absolute(path string) string {
	if strings.HasPrefix(path, "/") || strings.HasPrefix(path, "%") {
		return path
	}
	return "%t/" + path // /run, or the user's runtime directory
}

// values returns the values of a setting without the drop-in at own, and the file that
// has the last of them. They are as in the file, with quotes and specifiers.
func (u Unit) values(o Options, own, setting string) (values []string, from string, err error) {
	for _, file := range u.Files {
		if file == own {
			continue
		}
		text, err := o.read(file)
		if err != nil {
			return nil, "", err
		}
		more := settingsOf(string(text), "Service", setting)
		isDropIn := strings.HasSuffix(file, ".conf")
		if len(more) > 0 && isDropIn && filepath.Base(file) > unitDropIn {
			return nil, "", fmt.Errorf("%s has %s=, and systemd applies it after %s, "+
				"which would not count: give it a name that comes before in the alphabet",
				file, setting, own)
		}
		for _, value := range more {
			from = file
			if values = append(values, value); value == "" {
				values = nil
			}
		}
	}
	return values, from, nil
}

// separator is what separates commands in one ExecStart=. It could also be in quotes.
var separator = lazyregexp.New(`(^|\s);(\s|$)`)

// cutPrefix returns the special characters before the program, which say how systemd
// executes it, and the rest of a command.
func cutPrefix(command string) (prefix, rest string, err error) {
	rest = strings.TrimLeft(command, "-@:+!|")
	prefix = command[:len(command)-len(rest)]
	word, _, _ := strings.Cut(strings.ReplaceAll(rest, "\t", " "), " ")
	switch {
	case word == "":
		return "", "", errors.New("it names no program")
	case strings.Contains(prefix, "@"):
		return "", "", errors.New(
			`"@" gives the program another name, which port-restricter can't do: write it without`)
	case strings.Contains(prefix, "|"):
		return "", "", errors.New(`"|" runs a shell: write the shell yourself, as in sh -c '…'`)
	case strings.ContainsAny(word, `"'\$`):
		return "", "", errors.New("the path of the program has quotes or variables: " +
			"write it without, by systemctl edit")
	case separator().MatchString(rest):
		return "", "", errors.New(
			`it may be several commands, separated by ";": give each an ExecStart= of its own`)
	case filepath.Base(word) == "port-restricter":
		return "", "", errors.New("it runs under port-restricter already: edit it there")
	}
	return prefix, rest, nil
}

// settingsOf returns the values of a setting in the text of a unit file, as systemd reads
// it. Package unit of go-systemd would read a line as a comment that systemd does not:
// the one after a comment that ends in a backslash.
func settingsOf(text, section, name string) (values []string) {
	var in, joined string
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue // also between the lines of one setting
		}
		unescaped := strings.TrimRight(line, `\`)
		if (len(line)-len(unescaped))%2 == 1 {
			joined += line[:len(line)-1] + " "
			continue
		}
		line, joined = strings.TrimSpace(joined+line), ""
		if strings.HasPrefix(line, "[") {
			in = strings.Trim(line, "[]")
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if found && in == section && strings.TrimSpace(key) == name {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

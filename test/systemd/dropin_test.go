package systemd

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wrap runs `port-restricter systemd`, then what it says is next.
func wrap(t *testing.T, args ...string) {
	t.Helper()
	out := run(t, append([]string{"port-restricter", "systemd"}, args...)...)
	_, next, found := strings.Cut(out, "next: ")
	require.True(t, found, out)
	run(t, "sh", "-c", next)
}

// refused returns what `port-restricter systemd` says when it fails.
func refused(args ...string) string {
	out, err := enter(append([]string{"port-restricter", "systemd"}, args...)...).CombinedOutput()
	if err == nil {
		return "it does not fail"
	}
	return string(out)
}

func TestAnInstalledServiceIsRestrictedByADropIn(t *testing.T) {
	u := install(t, "installed.service", "[Service]\nType=notify\nExecStart=web-server 5000\n")
	u.start()
	require.Equal(t, "bound", ask(t, "tcp", port, "bind 5001"))

	out := run(t, "port-restricter", "systemd", "installed", "-p", "5000", "--dry-run")
	require.Contains(t, out, "+ExecStart=/usr/bin/port-restricter -p 5000 -- web-server 5000")
	require.NoFileExists(t, path("/etc/systemd/system/installed.service.d/port-restricter.conf"))

	wrap(t, "installed", "-p", "5000")
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
	wrap(t, "installed.service", "-p", "5000-5001") // replaces the drop-in, and wraps once
	require.Equal(t, "bound", ask(t, "tcp", port, "bind 5001"))
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5002"))

	// A drop-in that systemd has not read could come after port-restricter's.
	write(t, "/etc/systemd/system/installed.service.d/zz.conf",
		"[Service]\nExecStart=\nExecStart=/bin/true\n")
	require.Contains(t, refused("installed", "-p", "5000"), "run systemctl daemon-reload, then")
	run(t, "systemctl", "daemon-reload")
	require.Contains(t, refused("installed", "-p", "5000"), "zz.conf has ExecStart=")
	run(t, "rm", "/etc/systemd/system/installed.service.d/zz.conf")
	require.Contains(t, refused("nowhere", "-p", "5000"), "has no unit nowhere.service")

	wrap(t, "installed", "--remove")
	require.Equal(t, "bound", ask(t, "tcp", port, "bind 5002"))
	require.NoDirExists(t, path("/etc/systemd/system/installed.service.d"))
}

func TestATemplateIsRestrictedToThePortOfItsInstance(t *testing.T) {
	template := install(t, "installed@.service", "[Service]\nExecStart=/usr/bin/web-server %i\n")
	out := run(t, "port-restricter", "systemd", "installed@", "-p", "%i")
	require.Contains(t, out, "systemctl restart installed@INSTANCE.service")
	t.Cleanup(func() { run(t, "port-restricter", "systemd", "installed@", "--remove") })
	run(t, "systemctl", "daemon-reload")
	template.instance("5000").start()
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
}

// The commands of every unit on this machine are the same under port-restricter, as
// systemd parses them, with quotes, specifiers and prefixes.
func TestCommandsStayAsTheyAre(t *testing.T) {
	files, err := filepath.Glob(path("/lib/systemd/system/*.service"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		name := filepath.Base(file)
		// systemd's own have nothing that the others have not.
		if !strings.HasPrefix(name, "systemd-") && !strings.Contains(name, "@.") {
			names = append(names, name)
		}
	}
	commands := func() map[string][]string {
		found := map[string][]string{}
		show := append([]string{"systemctl", "show", "--property=Id,ExecStart"}, names...)
		for _, unit := range strings.Split(run(t, show...), "\n\n") {
			id := ""
			var list []string
			for line := range strings.Lines(unit + "\n") {
				key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				switch key {
				case "Id":
					id = value
				case "ExecStart":
					_, value, _ = strings.Cut(value, "argv[]=")
					value, _, _ = strings.Cut(value, " ; start_time=")
					list = append(list, value)
				}
			}
			found[id] = list
		}
		return found
	}
	before := commands()
	t.Cleanup(func() {
		run(t, "sh", "-c", "rm -r /etc/systemd/system/*.service.d/port-restricter.conf; "+
			"systemctl daemon-reload")
	})
	const wrapAll = `for unit; do
		port-restricter systemd "$unit" -p 5000 >/dev/null 2>&1 && echo "$unit"; done; true`
	wrapped := strings.Fields(run(t, append([]string{"sh", "-c", wrapAll, "sh"}, names...)...))
	run(t, "systemctl", "daemon-reload")
	after := commands()
	require.Greater(t, len(wrapped), 10, "of %d units", len(names))
	compared := 0
	for name, list := range before {
		for i, command := range list {
			if after[name][i] != command {
				command = "/usr/bin/port-restricter -p 5000 -- " + command
				require.Equal(t, command, after[name][i], name)
				compared++
			}
		}
	}
	require.GreaterOrEqual(t, compared, len(wrapped)/2, "aliases are wrapped once")
}

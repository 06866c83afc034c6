package systemd

import (
	"os"
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
				_, unwrapped, _ := strings.Cut(after[name][i], " -- ")
				require.Equal(t, command, unwrapped, name)
				require.Regexp(t, "^/usr/bin/port-restricter -p 5000 ", after[name][i])
				compared++
			}
		}
	}
	require.GreaterOrEqual(t, compared, len(wrapped)/2, "aliases are wrapped once")
}

// nginx.service of Debian forks into the background, and is stopped by its PID file.
func TestNginxServesAsDebianPackagesIt(t *testing.T) {
	const site = "server { listen 5000; location / { return 200 served; } }\n"
	write(t, "/etc/nginx/sites-enabled/default", site)
	write(t, "/var/log/nginx/error.log", "")
	u := packaged(t, "nginx.service")
	wrap(t, u.name, "-p", "5000")
	require.Contains(t, ask(t, "tcp", port, "GET / HTTP/1.0\n"), "served")

	// A new configuration with a port that nginx may not bind: the old one goes on.
	write(t, "/etc/nginx/sites-enabled/default", strings.ReplaceAll(site, "5000", "5001"))
	run(t, "systemctl", "reload", u.name)
	u.eventually(func() bool {
		log, _ := os.ReadFile(path("/var/log/nginx/error.log"))
		return strings.Contains(string(log), "Operation not permitted")
	}, "nginx does not try the other port")
	require.Contains(t, ask(t, "tcp", port, "GET / HTTP/1.0\n"), "served")

	run(t, "systemctl", "stop", u.name)
	require.Equal(t, "success", u.property("Result"))
	require.Equal(t, "0", u.property("ExecMainStatus"))
	require.NoFileExists(t, path("/run/nginx.pid"))
}

// packaged makes the unit of a package fit for systemd without the rest of the machine.
func packaged(t *testing.T, name string) unit {
	t.Helper()
	u := unit{t, name}
	write(t, "/run/output/"+name, "")
	write(t, "/run/systemd/system/"+name+".d/test.conf", "[Unit]\nDefaultDependencies=no\n"+
		"[Service]\nStandardOutput=append:/run/output/%n\nStandardError=inherit\n")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s\n%s", name, u.output(), u.systemctl("status", "--no-pager"))
		}
		run(t, "sh", "-c", `systemctl stop "$0"; port-restricter systemd "$0" --remove
			systemctl daemon-reload; systemctl reset-failed`, name)
	})
	run(t, "systemctl", "daemon-reload")
	return u
}

func TestAServiceOfAUserIsRestricted(t *testing.T) {
	manager := install(t, "manager.service", "[Service]\nType=notify\nUser=nobody\nDelegate=yes\n"+
		"RuntimeDirectory=user\nEnvironment=HOME=/run/user XDG_RUNTIME_DIR=/run/user\n"+
		"ExecStart=/lib/systemd/systemd --user --log-target=console --unit=test.target\n")
	const units = "/run/user/.config/systemd/user/"
	asUser := func(command string) string {
		return run(t, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
			"env", "HOME=/run/user", "XDG_RUNTIME_DIR=/run/user", "sh", "-ec", command)
	}
	run(t, "install", "-d", "-o", "nobody", "/run/user")
	asUser("mkdir -p " + units)
	write(t, units+"test.target", "[Unit]\nDefaultDependencies=no\n")
	write(t, units+"web.service",
		"[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart=web-server 5000\n")
	manager.start()
	asUser("systemctl --user start web")
	require.Equal(t, "bound", ask(t, "tcp", port, "bind 5001"))
	out := asUser("port-restricter systemd --user web -p 5000")
	require.Contains(t, out, "created "+units+"web.service.d/port-restricter.conf")
	_, next, _ := strings.Cut(out, "next: ")
	asUser(next)
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
}

package systemd

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A unit is a service, a socket or a template's instance that is installed.
type unit struct {
	t    *testing.T
	name string
}

// path returns where the tests see a file of the services.
func path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(systemdPid), "root", name)
}

// write writes a file of the services, until the end of the test.
func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path(name)), 0o755))
	require.NoError(t, os.WriteFile(path(name), []byte(text), 0o644))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(path(name))) })
}

// run runs a command where the services run, and returns its output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := enter(args...).CombinedOutput()
	require.NoError(t, err, "%v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// install installs a unit until the end of the test. Its output goes to a file. more is
// added to the section of the service.
func install(t *testing.T, name, text string, more ...string) unit {
	t.Helper()
	dropIn := "[Unit]\nDefaultDependencies=no\n"
	if strings.HasSuffix(name, ".service") {
		dropIn += "[Service]\nStandardOutput=append:/run/output/%n\nStandardError=inherit\n" +
			strings.Join(more, "\n") + "\n"
	}
	t.Cleanup(func() { run(t, "sh", "-c", "systemctl daemon-reload; systemctl reset-failed") })
	write(t, "/etc/systemd/system/"+name, text)
	write(t, "/run/systemd/system/"+name+".d/test.conf", dropIn)
	write(t, "/run/output/"+name, "")
	run(t, "systemctl", "daemon-reload")
	u := unit{t, name}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s\n%s", name, u.output(), u.systemctl("show"))
		}
		const end = `systemctl kill --signal=KILL "$0"; systemctl stop "$0"`
		_ = enter("sh", "-c", end, strings.Replace(name, "@.", "@*.", 1)).Run()
	})
	return u
}

// instance returns an instance of a template.
func (u unit) instance(name string) unit {
	u.name = strings.Replace(u.name, "@.", "@"+name+".", 1)
	return u
}

// systemctl runs systemctl with the unit, whatever its exit status, and returns its output.
func (u unit) systemctl(args ...string) string {
	u.t.Helper()
	out, _ := enter(append(append([]string{"systemctl"}, args...), u.name)...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// start starts the unit, and fails the test if that fails.
func (u unit) start() {
	u.t.Helper()
	run(u.t, "systemctl", "start", u.name)
}

// property returns a property of the unit, as systemctl show has it.
func (u unit) property(name string) string {
	u.t.Helper()
	return u.systemctl("show", "--value", "--property="+name)
}

// output returns what the service has written so far.
func (u unit) output() string {
	text, _ := os.ReadFile(path("/run/output/" + u.name))
	return string(text)
}

// eventually waits until the condition is true.
func (u unit) eventually(is func() bool, what string) {
	u.t.Helper()
	require.Eventually(u.t, is, patience, 20*time.Millisecond, what)
}

// ask sends a line to web-server, and returns the answer.
func ask(t *testing.T, network, address, line string) string {
	t.Helper()
	var conn net.Conn
	require.Eventually(t, func() (up bool) {
		var err error
		conn, err = net.Dial(network, address)
		return err == nil
	}, patience, 20*time.Millisecond, "nobody listens on %s", address)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err := conn.Write([]byte(line + "\n"))
	require.NoError(t, err)
	answer := make([]byte, 1000)
	n, err := conn.Read(answer)
	if err != io.EOF { // the answer to exit
		require.NoError(t, err)
	}
	return strings.TrimSpace(string(answer[:n]))
}

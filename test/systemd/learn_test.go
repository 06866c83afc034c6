package systemd

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A service is run by learn once. systemd stops it by a signal, and what was learned is there.
func TestALearnedServiceIsRestrictedByItsDropIn(t *testing.T) {
	const learned = "/run/learned"
	write(t, learned, "")
	u := install(t, "learning.service", "[Service]\nType=notify\nExecStart=port-restricter"+
		" learn --output "+learned+" -- /usr/bin/web-server 5000\n")
	u.start()
	require.Equal(t, "bound", ask(t, "tcp", port, "bind 5001"))
	run(t, "systemctl", "stop", u.name)
	require.Equal(t, "success", u.property("Result"))
	text, err := os.ReadFile(path(learned))
	require.NoError(t, err)
	command := regexp.MustCompile(`(?m)^port-restricter systemd UNIT .*$`).FindString(string(text))
	require.NotEmpty(t, command, string(text))

	installed := install(t, "installed.service",
		"[Service]\nType=notify\nExecStart=web-server 5000\n")
	t.Cleanup(func() { run(t, "port-restricter", "systemd", "installed", "--remove") })
	run(t, "sh", "-c", strings.Replace(command, "UNIT", "installed", 1))
	run(t, "systemctl", "daemon-reload")
	installed.start()
	require.Equal(t, "bound", ask(t, "tcp", port, "bind 5001"))
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5002"))

	// The same without port-restricter: systemd reads each setting.
	_, settings, found := strings.Cut(string(text), "[Service]\n")
	require.True(t, found)
	bare := install(t, "bare.service",
		"[Service]\nType=oneshot\nExecStart=/bin/true\n"+settings)
	require.ElementsMatch(t, []string{"ipv4:tcp:5000", "ipv4:tcp:5001"}, // 252 leaves a colon out
		strings.Fields(regexp.MustCompile(`tcp:?`).
			ReplaceAllString(bare.property("SocketBindAllow"), "tcp:")))
	require.Equal(t, "any", bare.property("SocketBindDeny"))
}

package programs

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A limit is a command that an ordinary user runs on the bare machine, and under
// port-restricter. What it prints is different.
type limit struct {
	name       string
	command    string // of a shell
	bare       string
	restricted string
}

// TestLimits shows the limits that docs/limits.md names.
func TestLimits(t *testing.T) {
	for _, l := range []limit{
		{
			name: "setuid", command: "./setuid-id",
			bare: "euid=0(root)", restricted: "uid=65534(nobody)",
		},
		{
			name: "nested", command: "port-restricter -p 5000 -- echo ran",
			bare: "ran\n", restricted: "port-restricter: ",
		},
		{
			name: "undumpable", command: "timeout 2 ssh-agent -D -a agent.sock",
			bare: "SSH_AUTH_SOCK=agent.sock", restricted: "Operation not permitted",
		},
		{
			name: "unbound",
			command: `unbound -d -c unbound.conf 2>/dev/null &
				timeout 60 sh -c "until dig @127.0.0.1 -p 5000 hello.test; do sleep 0.1; done"
				kill $!`,
			bare: "status: NOERROR", restricted: "status: SERVFAIL",
		},
	} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "nobody", "")
			require.NoError(t, os.CopyFS(p.dir, os.DirFS(testdata("recipes"))))
			out, err := exec.Command("install", "-m", "4755", "/usr/bin/id",
				p.path("setuid-id")).CombinedOutput()
			require.NoError(t, err, string(out))
			p.as("root").start("dnsmasq", "--keep-in-foreground", "--port=5300", "--pid-file",
				"--listen-address=127.0.0.1", "--bind-interfaces", "--conf-file=/dev/null",
				"--address=/hello.test/192.0.2.7")

			bare, _ := p.try("sh", "-c", l.command)
			require.Contains(t, bare, l.bare)
			restricted, _ := p.try("port-restricter", "-p", "5000", "--", "sh", "-c", l.command)
			require.NotContains(t, restricted, l.bare)
			require.Contains(t, restricted, l.restricted)
		})
	}
}

// TestTheLimitsNameTheirTests shows that each line of docs/limits.md names tests that exist.
func TestTheLimitsNameTheirTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	sources, err := exec.Command("sh", "-c", "cat *_test.go ../*/*_test.go").Output()
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(page), "|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		names := regexp.MustCompile("`[^`]+`").FindAllString(cells[len(cells)-2], -1)
		require.NotEmpty(t, names, line)
		for _, name := range names {
			name, part, _ := strings.Cut(strings.Trim(name, "`"), "/")
			if strings.HasPrefix(name, "Test") {
				require.Contains(t, string(sources), "func "+name+"(")
				require.Contains(t, string(sources), `"`+part)
				continue
			}
			require.FileExists(t, "../probes/testdata/"+name+".c")
		}
	}
}
